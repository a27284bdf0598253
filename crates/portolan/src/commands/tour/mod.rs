//! `portolan tour`: the whole idea, played on a throw-away store.

mod browser;
mod record;
mod report;
mod stage;
mod story;

use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use self::record::Recorder;
use self::report::Report;
use self::stage::Stage;
use crate::options::Options;

/// Play the whole story once: sign-in, consents, tokens, services that call services, and
/// what happens when a person takes a permission back.
///
/// The tour needs nothing and leaves nothing: it makes a store in a temporary folder, starts a
/// server on a free port of this machine, and removes both at the end. It prints every request
/// and every answer, with secrets and tokens shortened, and checks everything that it says.
#[derive(Args)]
#[command(after_help = "\
Ends with 0 if all was as it says, with 1 otherwise.

Examples:
  portolan tour
  portolan tour --pause
  portolan tour --format json | jq '.steps[].title'")]
pub struct Tour {
    /// Wait for Enter before each further step
    #[arg(long)]
    pause: bool,
}

impl Tour {
    pub fn run(self, options: &Options) -> Result<()> {
        let start = Instant::now();
        let stage = Stage::build()?;
        let recorder = Recorder::default();
        let mut report = Report::new(recorder.clone(), options.format, self.pause, stage.names());
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let outcome = runtime.block_on(async {
            let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
            tokio::select! {
                told = story::tell(&stage, &mut report) => told,
                ended = stage.serve(recorder) => bail!("the server of the tour ended: {ended:?}"),
                // The folder shall go also then.
                _ = interrupt.recv() => bail!("the tour was interrupted"),
                _ = terminate.recv() => bail!("the tour was interrupted"),
            }
        });
        // Nobody waits for a thread that waits for Enter.
        runtime.shutdown_background();
        let Stage { folder, app, .. } = stage;
        let path = folder.path().to_owned();
        app.db.clone().close();
        folder.close().with_context(|| format!("removing {}", path.display()))?;
        report.finish(&outcome, start.elapsed().as_secs_f64())?;
        outcome?;
        report.line("")?;
        report.line(&format!(
            "That was all: {} checks in {:.1} s, and {} is gone again.\n\
             A server to keep: portolan serve. Programs to copy from: examples/.",
            report.checks(),
            start.elapsed().as_secs_f64(),
            path.display()
        ))
    }
}
