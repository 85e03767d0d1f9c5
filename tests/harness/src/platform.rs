//! The platforms that functions run on.

use std::fmt;

use clap::ValueEnum;

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, ValueEnum)]
pub enum Platform {
    /// Cloudflare Workers, locally in workerd.
    Workers,
    /// Spin: the `spin` on PATH, or tests/spin-host.
    Spin,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Workers => "workers",
            Self::Spin => "spin",
        })
    }
}

/// The program that serves the components of Spin in the suites.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Served {
    /// tests/spin-host, with its control port.
    #[default]
    Host,
    /// The `spin` on PATH, 4.1 or newer. Tests that need the host's control port are skipped.
    Spin,
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Host => "host",
            Self::Spin => "spin",
        })
    }
}

/// Where the components of Spin store their channels.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Store {
    /// SQLite, of the host itself.
    #[default]
    Sqlite,
    /// A `redis-server` of this machine, for as many hosts as wanted.
    Redis,
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Sqlite => "sqlite",
            Self::Redis => "redis",
        })
    }
}

/// One platform or both, as the command line says.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Choice {
    /// Cloudflare Workers, locally in workerd.
    Workers,
    /// Spin: the `spin` on PATH, or tests/spin-host.
    Spin,
    Both,
}

impl Choice {
    pub fn platforms(self) -> &'static [Platform] {
        match self {
            Self::Workers => &[Platform::Workers],
            Self::Spin => &[Platform::Spin],
            Self::Both => &[Platform::Workers, Platform::Spin],
        }
    }

    pub fn has(self, platform: Platform) -> bool {
        self.platforms().contains(&platform)
    }
}
