//! A `redis-server` of the machine, on a free port of loopback and without a file.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// How often a start tries another port. Between the choice of a port and the start of the server
/// another process may take the port.
const ATTEMPTS: usize = 5;

pub struct RedisServer {
    child: Option<Child>,
    arguments: Vec<&'static str>,
    pub port: u16,
}

impl RedisServer {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    pub fn start_with(arguments: &[&'static str]) -> Self {
        for _ in 0..ATTEMPTS {
            let mut server = Self { child: None, arguments: arguments.to_vec(), port: free_port() };
            if server.run() {
                return server;
            }
        }
        panic!("redis-server does not start on a free port");
    }

    /// The address, with a user's part such as `:password@`.
    pub fn address(&self, user: &str) -> String {
        format!("redis://{user}127.0.0.1:{}", self.port)
    }

    /// Starts an empty server on the same port.
    pub fn restart(&mut self) {
        self.stop();
        assert!(self.run(), "redis-server starts again on port {}", self.port);
    }

    /// Kills the server's process group, and returns when the server has ended.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let group = format!("-{}", child.id());
        drop(Command::new("kill").args(["-KILL", "--", &group]).status());
        drop(child.wait());
    }

    /// Whether the server accepts connections.
    fn run(&mut self) -> bool {
        let mut child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string()])
            .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect(
                "redis-server is on PATH: install it, for example `apt-get install redis-server`",
            );
        let mut lines =
            BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
        self.child = Some(child);
        let is_ready = lines.any(|line| line.contains("Ready to accept connections"));
        if is_ready {
            // Read on, or the server would stop at a full pipe.
            std::thread::spawn(move || lines.for_each(drop));
        } else {
            self.stop();
        }
        is_ready
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A port at which no process listens.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}
