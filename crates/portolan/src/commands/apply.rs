//! `portolan apply`: projects and what belongs to them, as files describe it, for the operator.

mod change;
mod clients;
mod file;
mod plan;
mod providers;
mod prune;
mod scopes;
mod secrets;
mod source;
mod work;

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;
use portolan_db::{Db, ErrorKind};
use portolan_server::{App, Config, Error};

use self::file::File;
use self::plan::{Action, Plan, Tense};
use self::secrets::{Files, Written, discard};
use self::source::{Finding, Findings, MAXIMUM_BYTES, Source};
use self::work::Work;
use crate::exit::Exit;
use crate::options::{Options, context};
use crate::output::{self, Confirmation};

/// As many mistakes as are told at once.
const MAXIMUM_FINDINGS: usize = 50;

/// Make projects, clients, scopes, policies and identity providers what a file says.
///
/// Everything happens in one transaction or nothing does. What the file does not say of a
/// thing stays as it is. A second run changes nothing.
#[derive(Args)]
#[command(after_help = "\
The file is TOML; docs/apply.sample.toml shows all that it can say:

  [project.Beamline]
  contact = \"beamline@example.org\"
  admins = [\"alice\"]

  [project.Beamline.client.Portal]
  type = \"confidential_client\"
  redirect_uris = [\"https://portal.example.org/callback\"]
  secret.deploy.secret_file = \"portal.secret\"

Secrets are never in it. A secret that the client does not have yet is made and written to
the file that is named, once, readable for its owner only. Paths begin at the folder of the
file that names them.

Exit status: 0 done, or nothing to do; 1 it failed, and nothing was changed; 2 the file must
be corrected; 6 with --dry-run: something would change.

Examples:
  portolan apply -f beamline.toml --dry-run
  portolan apply -f common.toml -f beamline.toml
  portolan apply -f beamline.toml --prune --dry-run
  generate-set-up | portolan apply -f - --prune --yes")]
pub struct Apply {
    /// A file; can be given several times, and they are one; - is standard input
    #[arg(short, long = "file", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Print what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Delete what belongs to the projects of the file and is not in it
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    confirmation: Confirmation,
}

/// Why the transaction was rolled back.
enum Halt {
    /// It was to be tried only.
    Tried(Plan),
    /// The file cannot be carried out.
    Refused(Vec<Finding>),
    /// Other things would be deleted than those that were agreed to.
    Changed,
    Files(anyhow::Error),
    Failed(Error),
    /// The connection went away while it committed.
    Unknown,
}

impl From<portolan_db::Error> for Halt {
    fn from(error: portolan_db::Error) -> Self {
        match error.kind() {
            ErrorKind::OutcomeUnknown => Self::Unknown,
            _ => Self::Failed(error.into()),
        }
    }
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// What there is to work with.
struct Store {
    config: Config,
    db: Db,
    /// With the keys, if the file has secrets to seal.
    app: Option<App>,
}

impl Apply {
    pub fn run(self, options: &Options) -> Result<()> {
        let sources = self.read()?;
        let findings = Findings::default();
        let file = File::read(&sources, &findings);
        let findings = findings.into_inner();
        if !findings.is_empty() {
            return Err(refuse(findings));
        }
        let store = Store::open(options, !file.providers.is_empty())?;
        let file = Arc::new(file);

        let plan = match store.work(&file, self.prune, None) {
            Err(Halt::Tried(plan)) => plan,
            other => return ended(other.map(|_| ())),
        };
        if self.dry_run {
            let json = plan.json(Tense::WouldBe);
            output::print(options.format, &json, || plan.text(Tense::WouldBe))?;
            if plan.is_empty() {
                return Ok(());
            }
            return Err(Exit::WouldChange.because("a dry run: nothing was changed, and something would be"));
        }
        if plan.is_empty() {
            return output::print(options.format, &plan.json(Tense::Is), || plan.text(Tense::Is));
        }
        let deletions = plan.deletions();
        if !deletions.is_empty() {
            if self.reads_input() && !self.confirmation.is_given() {
                return Err(Exit::Usage.because(format!(
                    "nothing was changed: {} would be deleted, and nobody can be asked while the file comes from \
                     standard input; say --yes if it is meant, or look first with --dry-run",
                    output::count(deletions.len(), "thing")
                )));
            }
            self.confirmation.ask(&what_ends(&plan))?;
        }
        let _held = secrets::hold(file.secret_folders());
        match store.work(&file, self.prune, Some(deletions)) {
            Ok((plan, files)) => {
                let named = files.name();
                output::print(options.format, &plan.json(Tense::Is), || plan.text(Tense::Is))?;
                named
            }
            other => ended(other.map(|_| ())),
        }
    }

    fn reads_input(&self) -> bool {
        self.files.iter().any(|path| is_input(path))
    }

    fn read(&self) -> Result<Vec<Source>> {
        let mut sources = Vec::new();
        for path in &self.files {
            let is_input = is_input(path);
            let name = if is_input {
                "standard input".to_owned()
            } else {
                path.display().to_string()
            };
            let folder = match path.parent() {
                Some(folder) if !is_input => folder.to_owned(),
                _ => PathBuf::new(),
            };
            let text = if is_input {
                limited(std::io::stdin().lock())
            } else {
                std::fs::File::open(path).map_err(anyhow::Error::from).and_then(limited)
            };
            sources.push(Source::new(&name, text.with_context(|| name.clone())?, folder));
        }
        Ok(sources)
    }
}

fn is_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn limited(file: impl std::io::Read) -> Result<String> {
    let mut text = String::new();
    file.take(MAXIMUM_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAXIMUM_BYTES {
        bail!("is larger than {} MiB; divide it", MAXIMUM_BYTES >> 20);
    }
    Ok(text)
}

impl Store {
    fn open(options: &Options, needs_keys: bool) -> Result<Self> {
        if !needs_keys {
            let (config, db) = options.store()?;
            return Ok(Self { config, db, app: None });
        }
        let app = options.app()?;
        Ok(Self {
            config: Config::clone(&app.config),
            db: app.db.clone(),
            app: Some(app),
        })
    }

    /// Does everything in one transaction. Without `agreed` it is rolled back at its end.
    fn work(
        &self,
        file: &Arc<File>,
        prune: bool,
        agreed: Option<BTreeSet<(&'static str, String)>>,
    ) -> Result<(Plan, Files), Halt> {
        let written = Arc::new(Written::default());
        let (file, ctx, config, app) = (Arc::clone(file), context(), self.config.clone(), self.app.clone());
        let files = Arc::clone(&written);
        let done = self.db.write_blocking(move |tx| {
            let mut work = Work::new(tx, &ctx, &config);
            work.all(&file, app.as_ref())?;
            if prune && work.findings.is_empty() {
                work.prune(&file)?;
            }
            if !work.findings.is_empty() {
                return Err(Halt::Refused(work.findings));
            }
            match &agreed {
                None => Err(Halt::Tried(work.plan)),
                Some(agreed) if *agreed != work.plan.deletions() => Err(Halt::Changed),
                Some(_) => {
                    work.files.write(&files).map_err(Halt::Files)?;
                    Ok((work.plan, work.files))
                }
            }
        });
        // Where nobody knows whether it was committed, the secrets stay for the next run.
        if !matches!(done, Ok(_) | Err(Halt::Unknown)) {
            discard(&written);
        }
        done
    }
}

/// Tells why it came to nothing.
fn ended(outcome: Result<(), Halt>) -> Result<()> {
    match outcome {
        Ok(()) | Err(Halt::Tried(_)) => Ok(()),
        Err(Halt::Refused(findings)) => Err(refuse(findings)),
        Err(Halt::Changed) => Err(anyhow!(
            "nothing was changed: the store has changed meanwhile, and other things would be deleted than those \
             that were shown; run it again"
        )),
        Err(Halt::Files(error)) => Err(error.context("nothing was changed")),
        Err(Halt::Failed(error)) => Err(output::explain(error).context("nothing was changed")),
        Err(Halt::Unknown) => Err(anyhow!(
            "the connection to the store was lost while it committed, and nobody knows whether it did; run it \
             again: it does what is left to do"
        )),
    }
}

/// All that is wrong, sorted by place.
fn refuse(mut findings: Vec<Finding>) -> anyhow::Error {
    findings.sort();
    findings.dedup();
    for finding in findings.iter().take(MAXIMUM_FINDINGS) {
        output::note(&finding.line());
    }
    if findings.len() > MAXIMUM_FINDINGS {
        output::note(&format!("and {} more", findings.len() - MAXIMUM_FINDINGS));
    }
    Exit::Usage.because("nothing was changed; correct the file")
}

fn what_ends(plan: &Plan) -> String {
    let mut text = String::from("About to be deleted:\n");
    for entry in plan.entries.iter().filter(|entry| entry.action == Action::Delete) {
        text.push_str(&format!("  {}\n", entry.title()));
    }
    text.push_str(
        "Everybody's consents to these clients and scopes, and every token that rests on nothing else, end at once.",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_an_end() {
        let fits = vec![b'#'; MAXIMUM_BYTES as usize];
        assert!(limited(fits.as_slice()).is_ok());
        let larger = vec![b'#'; MAXIMUM_BYTES as usize + 1];
        assert!(limited(larger.as_slice()).is_err());
        assert!(limited([0xff, 0xfe].as_slice()).is_err());
    }
}
