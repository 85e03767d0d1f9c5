//! A child process with all its descendants, as one process group.
//!
//! wrangler starts node, which starts workerd and the build. A signal to the child alone would
//! leave them running. Therefore the whole group gets the signal, and the code waits until no
//! process of it is left.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::signal;

/// How often a wait looks whether the child has ended or a signal has arrived.
const LOOK: Duration = Duration::from_millis(50);
/// Time that a group has to end after SIGTERM; then it gets SIGKILL.
const GRACE: Duration = Duration::from_secs(10);
/// Time that the kernel has to end a group after SIGKILL. A process that takes longer hangs in the
/// kernel.
const KILL: Duration = Duration::from_secs(10);

/// A running process group. Dropping it ends it.
pub struct Group {
    leader: Child,
    id: Pid,
    is_gone: bool,
}

impl Group {
    /// Starts the command as the leader of a new group.
    pub fn spawn(command: &mut Command) -> Result<Self> {
        adopt_orphans()?;
        let leader = command
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let id = Pid::from_raw(i32::try_from(leader.id())?);
        Ok(Self { leader, id, is_gone: false })
    }

    /// The process id of the leader, which is the id of the group.
    pub fn id(&self) -> u32 {
        self.leader.id()
    }

    /// The leader's status, if it has ended.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.leader.try_wait()?)
    }

    /// Waits until the leader ends, and calls `tick` every 50 ms.
    ///
    /// # Errors
    /// [`signal::Interrupted`] when a signal arrives first; then the whole group has ended.
    pub fn wait(&mut self, mut tick: impl FnMut()) -> Result<ExitStatus> {
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
            tick();
            if signal::wait(LOOK) {
                self.stop()?;
                return Err(signal::Interrupted.into());
            }
        }
    }

    /// Ends the whole group: SIGTERM, then SIGKILL after the grace period. Returns when no process
    /// of it is left.
    pub fn stop(&mut self) -> Result<()> {
        self.stop_after(GRACE)
    }

    fn stop_after(&mut self, grace: Duration) -> Result<()> {
        if self.is_gone {
            return Ok(());
        }
        for (signal, time) in [(Signal::SIGTERM, grace), (Signal::SIGKILL, KILL)] {
            self.send(signal)?;
            if self.ends_within(time)? {
                return Ok(());
            }
        }
        bail!("process group {} is still there after SIGKILL", self.id)
    }

    fn send(&self, signal: Signal) -> Result<()> {
        match killpg(self.id, signal) {
            // macOS answers EPERM if all processes of the group have ended and nobody has reaped
            // them.
            Ok(()) | Err(Errno::ESRCH | Errno::EPERM) => Ok(()),
            Err(error) => Err(error).context("cannot signal the process group"),
        }
    }

    fn ends_within(&mut self, time: Duration) -> Result<bool> {
        let deadline = Instant::now() + time;
        loop {
            // The standard library reaps the leader. Reap the orphans after it, or its status would
            // be lost.
            if self.leader.try_wait()?.is_some() {
                self.reap_orphans();
                if killpg(self.id, None) == Err(Errno::ESRCH) {
                    self.is_gone = true;
                    return Ok(true);
                }
            }
            if Instant::now() > deadline {
                return Ok(false);
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn reap_orphans(&self) {
        let group = Pid::from_raw(-self.id.as_raw());
        while let Ok(status) = waitpid(group, Some(WaitPidFlag::WNOHANG)) {
            if status == WaitStatus::StillAlive {
                break;
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("{error:#}");
        }
    }
}

/// Makes this process the parent of all orphans of a group.
///
/// In a container the first process often reaps no children. A dead grandchild would stay in the
/// process table and look alive.
#[cfg(target_os = "linux")]
fn adopt_orphans() -> Result<()> {
    nix::sys::prctl::set_child_subreaper(true).context("cannot adopt orphans")
}

#[cfg(not(target_os = "linux"))]
fn adopt_orphans() -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Stdio;

    use super::*;

    /// Starts a script that never ends by itself, and returns when the script has written `ready`.
    fn running(name: &str, script: &str) -> Group {
        let ready = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        let mut command = Command::new("sh");
        command.args(["-c", script]).env("READY", &ready);
        let mut group = Group::spawn(command.stdin(Stdio::null())).unwrap();
        while !ready.exists() {
            let ended = group.try_wait().unwrap();
            assert!(ended.is_none() || ready.exists(), "the script ended early ({ended:?})");
            thread::yield_now();
        }
        fs::remove_file(ready).unwrap();
        group
    }

    fn is_alive(id: u32) -> bool {
        killpg(Pid::from_raw(id as i32), None).is_ok()
    }

    #[test]
    fn stop_ends_grandchildren() {
        let mut group =
            running("grandchildren", "sh -c 'sleep 600 & sleep 600' & touch $READY; wait");
        assert!(is_alive(group.id()));
        group.stop().unwrap();
        assert!(!is_alive(group.id()));
    }

    #[test]
    fn stop_ends_a_grandchild_whose_parent_has_ended() {
        let mut group = running("orphan", "(sleep 600 &) ; touch $READY");
        while group.try_wait().unwrap().is_none() {
            thread::yield_now();
        }
        assert!(is_alive(group.id()));
        group.stop().unwrap();
        assert!(!is_alive(group.id()));
    }

    #[test]
    fn a_deaf_group_is_killed() {
        let mut group = running("deaf", "trap '' TERM; touch $READY; while :; do sleep 600; done");
        group.stop_after(Duration::ZERO).unwrap();
        assert!(!is_alive(group.id()));
        assert_eq!(group.try_wait().unwrap().unwrap().signal(), Some(Signal::SIGKILL as i32));
    }

    #[test]
    fn dropping_ends_the_group() {
        let group = running("dropped", "sleep 600 & touch $READY; wait");
        let id = group.id();
        drop(group);
        assert!(!is_alive(id));
    }

    #[test]
    fn wait_tells_the_status_of_the_leader() {
        let mut group = Group::spawn(Command::new("sh").args(["-c", "exit 7"])).unwrap();
        assert_eq!(group.wait(|| {}).unwrap().code(), Some(7));
    }
}
