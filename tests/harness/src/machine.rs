//! The load of this machine: the real data of the demo.

use std::collections::BTreeMap;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use serde::Serialize;
use sysinfo::{DiskRefreshKind, Disks, Networks, System};

/// One event of the feed; each value belongs to a series.
#[derive(Serialize)]
pub struct Sample {
    /// Milliseconds since 1970.
    pub at: u64,
    pub values: Values,
}

#[derive(Serialize)]
pub struct Values {
    pub cpu_percent: f64,
    pub memory_percent: f64,
    pub load_1m: f64,
    pub net_received_kb_s: f64,
    pub net_sent_kb_s: f64,
    pub disk_read_kb_s: f64,
    pub disk_written_kb_s: f64,
}

/// Reads the machine's counters. A sample shows what happened since the sample before it.
pub struct Machine {
    system: System,
    networks: Networks,
    disks: Disks,
    last: Instant,
}

impl Machine {
    pub fn new() -> Result<Self> {
        let mut system = System::new()?;
        system.refresh_cpu_usage();
        Ok(Self {
            system,
            networks: Networks::new_with_refreshed_list()?,
            disks: Disks::new_with_refreshed_list_specifics(
                DiskRefreshKind::nothing().with_io_usage(),
            )?,
            last: Instant::now(),
        })
    }

    pub fn sample(&mut self) -> Result<Sample> {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        self.networks.refresh(true);
        self.disks.refresh_specifics(true, DiskRefreshKind::nothing().with_io_usage());
        let seconds = self.last.elapsed().as_secs_f64();
        self.last = Instant::now();
        let per_second = |bytes: u64| rounded(bytes as f64 / 1024.0 / seconds);

        // Without the loopback, which carries mostly what the demo itself sends.
        let (received, sent) = self
            .networks
            .iter()
            .filter(|(name, _)| !name.to_string_lossy().starts_with("lo"))
            .fold((0, 0), |(received, sent), (_, network)| {
                (received + network.received(), sent + network.transmitted())
            });
        // A device that is mounted twice is listed twice, with the same counters.
        let disks: BTreeMap<_, _> =
            self.disks.iter().map(|disk| (disk.name(), disk.usage())).collect();

        Ok(Sample {
            at: SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis().try_into()?,
            values: Values {
                cpu_percent: rounded(self.system.global_cpu_usage().into()),
                memory_percent: percent(self.system.used_memory(), self.system.total_memory()),
                load_1m: System::load_average()?.one,
                net_received_kb_s: per_second(received),
                net_sent_kb_s: per_second(sent),
                disk_read_kb_s: per_second(disks.values().map(|usage| usage.read_bytes).sum()),
                disk_written_kb_s: per_second(
                    disks.values().map(|usage| usage.written_bytes).sum(),
                ),
            },
        })
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    rounded(part as f64 / whole as f64 * 100.0)
}

/// Rounds to one decimal; a chart shows less.
fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_an_event_of_the_feed() {
        let sample = Machine::new().unwrap().sample().unwrap();
        let json = serde_json::to_value(&sample).unwrap();
        let memory = json["values"]["memory_percent"].as_f64().unwrap();
        assert!(memory > 0.0 && memory <= 100.0, "{json}");
        let event: tidewire_feed::message::Sample = serde_json::from_value(json).unwrap();
        assert!(event.at.is_some());
        assert_eq!(event.values.len(), 7, "{event:?}");
    }
}
