//! What an introspection costs this SDK and the HTTP client below it, for `cargo xtask bench`:
//!
//!   introspections BASE_URL CLIENT_ID CLIENT_SECRET TOKENS SECONDS
//!
//! TOKENS is a file with a token at the beginning of each line. Both ask about the same tokens,
//! one after another over a connection that is kept, and read the answer into the same type. They
//! take turns, so that a disturbance does not hit one of them alone.

use std::time::{Duration, Instant};

use portolan_sdk::{ClientOptions, ConfidentialAppAuthClient, Introspection, IntrospectionRequest};
use reqwest::header::CONTENT_TYPE;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const TURNS: u32 = 20;

#[derive(Default)]
struct Spent {
    requests: u32,
    nanoseconds: u64,
}

impl Spent {
    fn microseconds(&self) -> f64 {
        self.nanoseconds as f64 / 1000.0 / f64::from(self.requests.max(1))
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [base_url, id, secret, tokens, seconds] = arguments.as_slice() else {
        return Err("usage: introspections BASE_URL CLIENT_ID CLIENT_SECRET TOKENS SECONDS".into());
    };
    let turn = Duration::from_secs_f64(seconds.parse()?) / TURNS;
    let text = std::fs::read_to_string(tokens)?;
    let tokens: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    let options = ClientOptions::new()?.base_url(base_url);
    let app = ConfidentialAppAuthClient::with_options(id.as_str(), secret.as_str(), options)?;
    let http = reqwest::Client::new();
    let url = format!("{}/v2/oauth2/token/introspect", base_url.trim_end_matches('/'));

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut sdk, mut raw) = (Spent::default(), Spent::default());
    for number in 0..=TURNS {
        let first = number as usize * 1000;
        let with_sdk = runtime.block_on(spend(turn, &tokens, first, async |token| {
            Ok(app.introspect(IntrospectionRequest::new(token)).await?.active)
        }))?;
        let without = runtime.block_on(spend(turn, &tokens, first, async |token| {
            let form = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("token", token)
                .finish();
            let request = http.post(&url).basic_auth(id, Some(secret));
            let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
            let answer = request.body(form).send().await?.error_for_status()?;
            let document: Introspection = serde_json::from_slice(&answer.bytes().await?)?;
            Ok(document.active)
        }))?;
        // The first turn connects.
        if number > 0 {
            for (all, one) in [(&mut sdk, with_sdk), (&mut raw, without)] {
                all.requests += one.requests;
                all.nanoseconds += one.nanoseconds;
            }
        }
    }
    let found = serde_json::json!({
        "sdk": {"requests": sdk.requests, "cpu_microseconds": sdk.microseconds()},
        "raw": {"requests": raw.requests, "cpu_microseconds": raw.microseconds()},
    });
    println!("{found}");
    Ok(())
}

/// Asks for a time; most of the tokens must be active.
async fn spend(
    time: Duration,
    tokens: &[&str],
    first: usize,
    ask: impl AsyncFn(&str) -> Result<bool>,
) -> Result<Spent> {
    let (started, before) = (Instant::now(), processor_time()?);
    let (mut requests, mut active) = (0, 0);
    while started.elapsed() < time {
        let token = tokens[(first + requests as usize) % tokens.len()];
        active += u32::from(ask(token).await?);
        requests += 1;
    }
    if active * 2 < requests {
        return Err(format!("only {active} of {requests} tokens were active").into());
    }
    Ok(Spent {
        requests,
        nanoseconds: processor_time()? - before,
    })
}

/// What all threads of this process have used, as the scheduler counts it.
fn processor_time() -> Result<u64> {
    let mut sum = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        let used = text.split(' ').next().ok_or("schedstat is empty")?;
        sum += used.parse::<u64>()?;
    }
    Ok(sum)
}
