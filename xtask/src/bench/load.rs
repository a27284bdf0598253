//! The load generator: one thread drives all connections.
//!
//! It shares the machine with the server it measures, so it does as little as possible:
//! requests are copied from templates, answers are judged in the buffer they arrived in,
//! and one poll serves every connection that is ready. Each connection has one request
//! under way at a time, so the number of connections is the number of waiting callers.

use std::{
    io::{ErrorKind, Read, Write},
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use mio::{Events, Interest, Poll, Token, net::TcpStream};

use super::{
    http::{self, Answer},
    machine::Threads,
};

/// What the callers do. An operation is one request, or several that need each other.
pub trait Workload {
    /// Appends the first request of the next operation.
    fn begin(&mut self, connection: usize, request: &mut Vec<u8>);

    /// Judges an answer. It either completes the operation or appends its next request.
    /// An unexpected answer is an error, which ends the run: a fast refusal is no speed.
    fn answer(&mut self, connection: usize, answer: &Answer<'_>, request: &mut Vec<u8>) -> Result<Progress>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    Continues,
    Done,
}

#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub warm_up: Duration,
    pub measured: Duration,
}

/// What one measurement found.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub operations: usize,
    pub seconds: f64,
    pub p50: Duration,
    pub p99: Duration,
    /// CPU time that the server used meanwhile.
    pub cpu: Duration,
}

impl Sample {
    pub fn rate(&self) -> f64 {
        self.operations as f64 / self.seconds
    }

    pub fn cpu_microseconds(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.operations as f64
    }
}

/// A server that says nothing for so long is broken.
const SILENCE: Duration = Duration::from_secs(20);

struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    written: usize,
    answer: Vec<u8>,
    begun_at: Instant,
}

/// Drives `workload` for a time; `cpu` reads the CPU time that the server has used so far.
pub fn run(
    address: SocketAddr,
    connections: usize,
    span: Span,
    workload: &mut dyn Workload,
    cpu: &dyn Fn() -> Result<Duration>,
) -> Result<Sample> {
    let mut callers = Callers::connect(address, connections)?;
    let measured_from = Instant::now() + span.warm_up;
    let measured_until = measured_from + span.measured;
    let mut begin = None;
    let mut end = None;
    let mut latencies = Vec::with_capacity(1 << 20);
    callers.drive(connections, workload, |begun_at| {
        let now = Instant::now();
        match begin {
            Some((window_start, cpu_before)) if now >= measured_until => {
                end = Some((Instant::now() - window_start, cpu()? - cpu_before));
                return Ok(Next::End);
            }
            Some(_) => latencies.push(nanoseconds(now - begun_at)),
            None if now >= measured_until => return Ok(Next::End),
            None if now >= measured_from => {
                let cpu_before = cpu()?;
                begin = Some((Instant::now(), cpu_before));
            }
            None => {}
        }
        Ok(Next::Begin)
    })?;
    let (elapsed, cpu) = end.context("nothing was finished within the measured time")?;
    sample(latencies, elapsed, cpu)
}

/// A number of operations in place of a time, for what can be done once only.
#[derive(Clone, Copy, Debug)]
pub struct Count {
    pub warm_up: usize,
    pub measured: usize,
}

/// Drives `workload` through so many operations. Nothing is under way when the measured
/// ones begin nor when they have ended, so that the CPU time is theirs alone and even few
/// of them mean something.
pub fn run_counted(
    address: SocketAddr,
    connections: usize,
    count: Count,
    workload: &mut dyn Workload,
    cpu: &dyn Fn() -> Result<Threads>,
) -> Result<Counted> {
    let mut callers = Callers::connect(address, connections)?;
    callers.finish(count.warm_up, workload)?;
    let before = cpu()?;
    let started = Instant::now();
    let latencies = callers.finish(count.measured, workload)?;
    let elapsed = started.elapsed();
    Ok(Counted {
        latencies,
        elapsed,
        cpu: cpu()?.since(&before),
    })
}

/// What counted operations took; it can be joined with that of others.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    latencies: Vec<u32>,
    elapsed: Duration,
    cpu: Duration,
}

impl Counted {
    pub fn join(&mut self, other: Counted) {
        self.latencies.extend(other.latencies);
        self.elapsed += other.elapsed;
        self.cpu += other.cpu;
    }

    pub fn sample(self) -> Result<Sample> {
        sample(self.latencies, self.elapsed, self.cpu)
    }
}

/// What a connection does after an operation.
enum Next {
    Begin,
    Rest,
    /// The measurement is over, whatever is still under way.
    End,
}

struct Callers {
    poll: Poll,
    connections: Vec<Connection>,
}

impl Callers {
    fn connect(address: SocketAddr, count: usize) -> Result<Callers> {
        let poll = Poll::new()?;
        let mut connections = Vec::with_capacity(count);
        for number in 0..count {
            let stream =
                std::net::TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry()
                .register(&mut stream, Token(number), Interest::READABLE | Interest::WRITABLE)?;
            connections.push(Connection {
                stream,
                request: Vec::with_capacity(4096),
                written: 0,
                answer: Vec::with_capacity(16 * 1024),
                begun_at: Instant::now(),
            });
        }
        Ok(Callers { poll, connections })
    }

    /// Exactly so many operations; how long each took.
    fn finish(&mut self, count: usize, workload: &mut dyn Workload) -> Result<Vec<u32>> {
        let mut begun = count.min(self.connections.len());
        let mut latencies = Vec::with_capacity(count);
        self.drive(begun, workload, |begun_at| {
            latencies.push(nanoseconds(begun_at.elapsed()));
            if begun == count {
                return Ok(Next::Rest);
            }
            begun += 1;
            Ok(Next::Begin)
        })?;
        Ok(latencies)
    }

    /// Begins an operation on each of the first `busy` connections and goes on until all of
    /// them rest. `done` hears of each finished operation, and when it was begun.
    fn drive(
        &mut self,
        mut busy: usize,
        workload: &mut dyn Workload,
        mut done: impl FnMut(Instant) -> Result<Next>,
    ) -> Result<()> {
        for (number, caller) in self.connections.iter_mut().take(busy).enumerate() {
            caller.begin(number, workload)?;
        }
        let mut events = Events::with_capacity(self.connections.len().max(16));
        while busy > 0 {
            self.poll
                .poll(&mut events, Some(SILENCE))
                .or_else(|error| match error.kind() {
                    ErrorKind::Interrupted => Ok(()),
                    _ => Err(error),
                })?;
            if events.is_empty() {
                bail!("no answer for {} s", SILENCE.as_secs());
            }
            for event in &events {
                let number = event.token().0;
                let caller = &mut self.connections[number];
                caller.write()?;
                caller.read()?;
                let Some(answer) = http::parse(&caller.answer)? else {
                    continue;
                };
                let length = answer.length;
                caller.request.clear();
                caller.written = 0;
                let progress = workload.answer(number, &answer, &mut caller.request)?;
                if caller.answer.len() != length {
                    bail!("the server sent more than one answer to a request");
                }
                caller.answer.clear();
                if progress == Progress::Continues {
                    caller.write()?;
                    continue;
                }
                match done(caller.begun_at)? {
                    Next::Begin => caller.begin(number, workload)?,
                    Next::Rest => busy -= 1,
                    Next::End => return Ok(()),
                }
            }
        }
        Ok(())
    }
}

impl Connection {
    fn begin(&mut self, number: usize, workload: &mut dyn Workload) -> Result<()> {
        workload.begin(number, &mut self.request);
        self.begun_at = Instant::now();
        self.write()
    }

    fn write(&mut self) -> Result<()> {
        while self.written < self.request.len() {
            match self.stream.write(&self.request[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("cannot send a request"),
            }
        }
        Ok(())
    }

    /// Reads what is there. An event comes once per arrival, so it goes on until a short
    /// read says that nothing is left; what arrives later brings its own event.
    fn read(&mut self) -> Result<()> {
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => bail!("the server closed a connection"),
                Ok(count) => {
                    self.answer.extend_from_slice(&buffer[..count]);
                    if count < buffer.len() {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("cannot read an answer"),
            }
        }
    }
}

fn nanoseconds(time: Duration) -> u32 {
    u32::try_from(time.as_nanos()).unwrap_or(u32::MAX)
}

fn sample(mut latencies: Vec<u32>, elapsed: Duration, cpu: Duration) -> Result<Sample> {
    if latencies.is_empty() {
        bail!("nothing was finished within the measured time");
    }
    latencies.sort_unstable();
    let percentile = |part: f64| {
        let place = (latencies.len() as f64 * part).ceil() as usize;
        Duration::from_nanos(u64::from(latencies[place.clamp(1, latencies.len()) - 1]))
    };
    Ok(Sample {
        operations: latencies.len(),
        seconds: elapsed.as_secs_f64(),
        p50: percentile(0.5),
        p99: percentile(0.99),
        cpu,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::{
        net::{Ipv4Addr, TcpListener},
        thread,
    };

    use super::*;

    /// A server that answers every second request with `second`.
    fn server(second: &'static str) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                thread::spawn(move || {
                    let mut stream = stream;
                    stream.set_nodelay(true).unwrap();
                    let mut buffer = [0; 4096];
                    let mut first = true;
                    while let Ok(1..) = stream.read(&mut buffer) {
                        let body = if first { "one" } else { second };
                        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                        // In two pieces, as a network may deliver it.
                        let (head, tail) = answer.split_at(20);
                        stream.write_all(head.as_bytes()).unwrap();
                        stream.write_all(tail.as_bytes()).unwrap();
                        first = !first;
                    }
                });
            }
        });
        address
    }

    #[derive(Default)]
    struct Pair {
        answers: usize,
    }

    impl Workload for Pair {
        fn begin(&mut self, _: usize, request: &mut Vec<u8>) {
            request.extend(http::request("/one", "h", &[], None));
        }

        fn answer(&mut self, _: usize, answer: &Answer<'_>, request: &mut Vec<u8>) -> Result<Progress> {
            self.answers += 1;
            if answer.contains("one") {
                request.extend(http::request("/two", "h", &[], None));
                return Ok(Progress::Continues);
            }
            if answer.contains("two") {
                return Ok(Progress::Done);
            }
            bail!("unexpected: {}", answer.describe())
        }
    }

    const SPAN: Span = Span {
        warm_up: Duration::from_millis(20),
        measured: Duration::from_millis(150),
    };

    #[test]
    fn operations_of_two_requests_are_counted_once() {
        let mut workload = Pair::default();

        let sample = run(server("two"), 3, SPAN, &mut workload, &|| Ok(Duration::ZERO)).unwrap();

        assert!(
            sample.operations > 10 && sample.operations * 2 <= workload.answers,
            "{sample:?}"
        );
        assert!(sample.p50 <= sample.p99 && sample.p99 < SPAN.measured);
        assert!((0.14..1.0).contains(&sample.seconds));
    }

    #[test]
    fn what_can_be_done_once_is_done_so_often_and_no_more() {
        let count = Count {
            warm_up: 2,
            measured: 7,
        };
        for connections in [1, 3, 20] {
            let mut workload = Pair::default();

            let counted = run_counted(server("two"), connections, count, &mut workload, &|| {
                Ok(Threads::default())
            })
            .unwrap();

            assert_eq!(workload.answers, 18, "{connections}");
            let mut twice = counted.clone();
            twice.join(counted);
            assert_eq!(twice.sample().unwrap().operations, 14);
        }
    }

    #[test]
    fn an_unexpected_answer_ends_the_run() {
        let error = run(server("refused"), 2, SPAN, &mut Pair::default(), &|| Ok(Duration::ZERO)).unwrap_err();

        assert!(error.to_string().contains("unexpected: 200: refused"), "{error}");
    }

    #[test]
    fn percentiles_name_a_measured_value() {
        let sample = sample(
            (1..=100).rev().collect(),
            Duration::from_secs(2),
            Duration::from_micros(700),
        )
        .unwrap();

        assert_eq!((sample.p50.as_nanos(), sample.p99.as_nanos()), (50, 99));
        assert_eq!((sample.rate(), sample.cpu_microseconds()), (50.0, 7.0));
    }
}
