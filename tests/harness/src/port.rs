//! Ports of this machine.

use std::net::{Ipv4Addr, TcpListener, TcpStream};

use anyhow::{Result, bail};

/// Returns this port if no process listens there, or a free port for 0.
pub fn claim(port: u16) -> Result<u16> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(listener) => Ok(listener.local_addr()?.port()),
        Err(_) => bail!(
            "port {port} is in use: end the process that listens there, or choose another port with --port (0 takes a free port)"
        ),
    }
}

/// Whether a process listens at this port.
pub fn is_open(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_refused_in_one_sentence() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(is_open(port));
        let error = claim(port).unwrap_err().to_string();
        assert!(error.starts_with(&format!("port {port} is in use")), "{error}");
    }

    #[test]
    fn zero_takes_a_free_port() {
        assert_ne!(claim(0).unwrap(), 0);
    }
}
