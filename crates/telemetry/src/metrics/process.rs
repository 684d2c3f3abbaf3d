//! The process (docs/system/process-metrics.md) and its runtime.

use std::{fs, time::Instant};

use opentelemetry::{KeyValue, metrics::ObservableGauge};
use tokio::runtime::Handle;

use super::{
    Metrics,
    names::{self, Name},
};

/// Of the kernel's clock ticks as programs see them; the same on every architecture this runs on (proc(5), `USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// What `/proc/self` says. Elsewhere than on Linux there is none.
struct Status {
    user_seconds: f64,
    system_seconds: f64,
    virtual_bytes: i64,
    resident_bytes: i64,
    threads: i64,
}

/// Measures the process and the runtime that this is called in, whenever somebody looks.
pub fn observe(metrics: &Metrics) {
    if !metrics.is_enabled() {
        return;
    }
    let meter = metrics.meter();
    let cpu = names::PROCESS_CPU_TIME;
    meter
        .f64_observable_counter(cpu.name)
        .with_unit(cpu.unit)
        .with_description(cpu.description)
        .with_callback(|observer| {
            if let Some(status) = Status::read() {
                observer.observe(status.user_seconds, &[KeyValue::new("cpu.mode", "user")]);
                observer.observe(status.system_seconds, &[KeyValue::new("cpu.mode", "system")]);
            }
        })
        .build();
    up_down(metrics, names::PROCESS_MEMORY, || {
        Some(Status::read()?.resident_bytes)
    });
    up_down(metrics, names::PROCESS_VIRTUAL_MEMORY, || {
        Some(Status::read()?.virtual_bytes)
    });
    up_down(metrics, names::PROCESS_THREADS, || Some(Status::read()?.threads));
    up_down(metrics, names::PROCESS_DESCRIPTORS, || {
        i64::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).ok()
    });
    let started = Instant::now();
    let uptime = names::PROCESS_UPTIME;
    meter
        .f64_observable_gauge(uptime.name)
        .with_unit(uptime.unit)
        .with_description(uptime.description)
        .with_callback(move |observer| observer.observe(started.elapsed().as_secs_f64(), &[]))
        .build();
    let runtime = Handle::current().metrics();
    let of_runtime = runtime.clone();
    gauge(metrics, names::RUNTIME_TASKS, move || {
        of_runtime.num_alive_tasks()
    });
    let of_runtime = runtime.clone();
    gauge(metrics, names::RUNTIME_QUEUE, move || {
        of_runtime.global_queue_depth()
    });
    gauge(metrics, names::RUNTIME_WORKERS, move || runtime.num_workers());
}

fn up_down(metrics: &Metrics, name: Name, read: impl Fn() -> Option<i64> + Send + Sync + 'static) {
    metrics
        .meter()
        .i64_observable_up_down_counter(name.name)
        .with_unit(name.unit)
        .with_description(name.description)
        .with_callback(move |observer| {
            if let Some(value) = read() {
                observer.observe(value, &[]);
            }
        })
        .build();
}

fn gauge(
    metrics: &Metrics,
    name: Name,
    read: impl Fn() -> usize + Send + Sync + 'static,
) -> ObservableGauge<u64> {
    metrics
        .meter()
        .u64_observable_gauge(name.name)
        .with_unit(name.unit)
        .with_description(name.description)
        .with_callback(move |observer| observer.observe(read() as u64, &[]))
        .build()
}

impl Status {
    fn read() -> Option<Self> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let status = fs::read_to_string("/proc/self/status").ok()?;
        Self::parse(&stat, &status)
    }

    fn parse(stat: &str, status: &str) -> Option<Self> {
        // The name, in parentheses, may hold anything; after it come the state and numbers (proc_pid_stat(5)).
        let numbers: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let seconds = |field: usize| Some(numbers.get(field)?.parse::<f64>().ok()? / TICKS_PER_SECOND);
        let kilobytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.trim().trim_end_matches(" kB").parse::<i64>().ok()? * 1024)
        };
        Some(Self {
            user_seconds: seconds(11)?,
            system_seconds: seconds(12)?,
            virtual_bytes: kilobytes("VmSize:")?,
            resident_bytes: kilobytes("VmRSS:")?,
            threads: numbers.get(17)?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 9 0 1 1000 10 0 0";
        let status = "Name:\ta\nVmSize:\t    2048 kB\nVmRSS:\t     512 kB\n";
        let read = Status::parse(stat, status).unwrap();
        assert_eq!((read.user_seconds, read.system_seconds), (2.5, 0.5));
        assert_eq!((read.virtual_bytes, read.resident_bytes), (2_097_152, 524_288));
        assert_eq!(read.threads, 9);
    }
}
