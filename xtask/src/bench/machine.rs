//! What the kernel says about processes and the machine.

use std::{collections::HashMap, fs, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};

/// The kernel reports CPU time to programs in hundredths of a second, whatever its own clock.
const TICK: Duration = Duration::from_millis(10);

struct Stat {
    parent: u32,
    /// Ticks of the process itself.
    own: u64,
    /// Ticks of its children that have ended.
    ended_children: u64,
}

fn stat(process: u32) -> Result<Stat> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).with_context(|| format!("process {process}"))?;
    parse_stat(&text).with_context(|| format!("/proc/{process}/stat"))
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The name stands in parentheses and may contain anything, so counting starts behind it.
    let fields: Vec<&str> = text[text.rfind(')')? + 1..].split_whitespace().collect();
    let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
    Some(Stat {
        parent: u32::try_from(number(1)?).ok()?,
        own: number(11)? + number(12)?,
        ended_children: number(13)? + number(14)?,
    })
}

/// CPU time (user and system) of a process.
pub fn cpu(process: u32) -> Result<Duration> {
    Ok(TICK * u32::try_from(stat(process)?.own)?)
}

/// CPU time of a process, its children and its former children: a whole PostgreSQL.
pub fn cpu_with_children(process: u32) -> Result<Duration> {
    loop {
        let before = stat(process)?;
        let ticks = before.own + before.ended_children + children(process)?.map(|(_, child)| child.own).sum::<u64>();
        // A child that ended while we looked may have been counted twice or not at all.
        if stat(process)?.ended_children == before.ended_children {
            return Ok(TICK * u32::try_from(ticks)?);
        }
    }
}

fn children(process: u32) -> Result<impl Iterator<Item = (u32, Stat)>> {
    let processes = fs::read_dir("/proc")?.flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    Ok(ids
        .filter_map(|id| Some((id, stat(id).ok()?)))
        .filter(move |(_, stat)| stat.parent == process))
}

/// CPU time by thread. The scheduler counts it in nanoseconds, but forgets a thread that
/// has ended, so this is for short measurements of threads that stay.
#[derive(Clone, Debug, Default)]
pub struct Threads(HashMap<u32, Duration>);

impl Threads {
    pub fn of(process: u32) -> Result<Threads> {
        let mut threads = HashMap::new();
        for entry in fs::read_dir(format!("/proc/{process}/task"))?.flatten() {
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            // A thread may end while we look.
            if let Ok(text) = fs::read_to_string(entry.path().join("schedstat")) {
                let nanoseconds = text.split(' ').next().unwrap_or_default();
                threads.insert(id, Duration::from_nanos(nanoseconds.parse().context("schedstat")?));
            }
        }
        ensure!(!threads.is_empty(), "the kernel does not count CPU time by thread");
        Ok(Threads(threads))
    }

    /// The threads of a process and of its children.
    pub fn with_children(process: u32) -> Result<Threads> {
        let mut threads = Threads::of(process)?;
        for (child, _) in children(process)? {
            if let Ok(found) = Threads::of(child) {
                threads.join(found);
            }
        }
        Ok(threads)
    }

    pub fn join(&mut self, other: Threads) {
        self.0.extend(other.0);
    }

    /// What was used since `before`; a thread that is new since then counts from its start.
    pub fn since(&self, before: &Threads) -> Duration {
        let used = self.0.iter().map(|(id, now)| {
            let then = before.0.get(id).copied().unwrap_or_default();
            now.saturating_sub(then)
        });
        used.sum()
    }
}

/// Memory of a process that is in RAM now, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// All of it, with program code and mapped pages of files, which the kernel may drop.
    pub resident: u64,
    /// What the process itself allocated.
    pub own: u64,
}

pub fn memory(process: u32) -> Result<Memory> {
    let text = fs::read_to_string(format!("/proc/{process}/status"))?;
    let bytes = |name: &str| -> Result<u64> {
        let line = field(&text, name).with_context(|| format!("no {name}"))?;
        Ok(line.trim_end_matches(" kB").parse::<u64>()? * 1024)
    };
    Ok(Memory {
        resident: bytes("VmRSS")?,
        own: bytes("RssAnon")?,
    })
}

/// One line on the machine, for the head of a table.
pub fn description(folder: &Path) -> String {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let count = processors.lines().filter(|line| line.starts_with("processor")).count();
    let model = field(&processors, "model name")
        .unwrap_or("unknown processor")
        .to_owned();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .unwrap_or_default();
    let kilobytes: f64 = kilobytes.trim().trim_end_matches(" kB").parse().unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{count} cores ({model}), {:.0} GiB RAM, Linux {}, store on {}",
        kilobytes / 1024.0 / 1024.0,
        kernel.trim(),
        file_system(folder).unwrap_or_else(|| "an unknown file system".to_owned()),
    )
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.split_once(':'))
        .map(|(_, value)| value.trim())
}

/// The type of the file system that holds `folder`: the mount with the longest matching path.
fn file_system(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/mounts").ok()?;
    let candidates = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (place, kind) = (fields.next()?, fields.next()?);
        folder.starts_with(place).then(|| (place.len(), kind.to_owned()))
    });
    candidates.max_by_key(|(length, _)| *length).map(|(_, kind)| kind)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_a_strange_name() {
        let stat = parse_stat("7 (a ) 9 b) S 3 7 7 0 -1 4194560 1 2 3 4 15 6 70 8 20 0 1 0 99").unwrap();

        assert_eq!((stat.parent, stat.own, stat.ended_children), (3, 21, 78));
    }

    #[test]
    fn threads_that_stay_and_new_ones_count() {
        let milliseconds = Duration::from_millis;
        let threads =
            |times: &[(u32, u64)]| Threads(times.iter().map(|(id, time)| (*id, milliseconds(*time))).collect());
        let before = threads(&[(1, 10), (2, 50), (3, 7)]);

        assert_eq!(
            threads(&[(1, 15), (2, 50), (4, 3)]).since(&before),
            milliseconds(8),
            "the third has ended"
        );

        let before = Threads::of(std::process::id()).unwrap();
        let mut waste = 0_u64;
        while Threads::with_children(std::process::id()).unwrap().since(&before) < milliseconds(20) {
            waste = std::hint::black_box(waste + 1);
        }
        assert!(Threads::of(u32::MAX).is_err());
    }

    #[test]
    fn our_own_process_uses_time_and_memory() {
        let before = cpu(std::process::id()).unwrap();
        let mut waste = 0_u64;
        while cpu(std::process::id()).unwrap() < before + TICK * 3 {
            waste = std::hint::black_box(waste + 1);
        }

        assert!(cpu_with_children(std::process::id()).unwrap() >= before + TICK * 3);
        let memory = memory(std::process::id()).unwrap();
        assert!(memory.own > 64 * 1024 && memory.own < memory.resident, "{memory:?}");
        assert!(cpu(u32::MAX).is_err());
    }
}
