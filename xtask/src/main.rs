//! The chores of daily work: `cargo xtask test`, `e2e`, `soak`, `bench`, `package`, `postgres`.

mod api;
mod bench;
mod debian;
mod e2e;
mod package;
mod postgres;
mod process;
mod security_table;
mod setup;
mod test;
mod workshop;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The chores of daily work")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Run all tests, or some parts of them
    Test(test::TestArgs),
    /// Run foreign programs (SDKs, command line, browser) against the server
    E2e(e2e::E2eArgs),
    /// Kill the server under load, many times, and compare many histories with the model
    Soak(test::SoakArgs),
    /// Measure the server
    Bench(bench::BenchArgs),
    /// Make the Debian package, in target/debian
    Package(package::PackageArgs),
    /// Take a picture of every page for docs/screens
    Screens,
    /// Compare the SDK's public items with those written down, or write them down
    Api(api::ApiArgs),
    /// Start a private PostgreSQL and print its URL, until Ctrl-C
    Postgres(PostgresArgs),
}

#[derive(Debug, clap::Args)]
struct PostgresArgs {
    /// Wait for the disk at each commit, as a real server does
    #[arg(long)]
    fsync: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = process::handle_signals().and_then(|()| match arguments.chore {
        Chore::Test(args) => test::main(&args),
        Chore::E2e(args) => e2e::main(&args),
        Chore::Soak(args) => test::soak(&args),
        Chore::Bench(args) => bench::run(args),
        Chore::Package(args) => package::main(&args),
        Chore::Screens => e2e::screens(),
        Chore::Api(args) => api::main(&args),
        Chore::Postgres(args) => serve_postgres(&args),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve_postgres(args: &PostgresArgs) -> anyhow::Result<()> {
    let cluster = postgres::Cluster::start(args.fsync)?;
    println!("{}", cluster.url("postgres"));
    eprintln!(
        "PostgreSQL runs as process {}; Ctrl-C stops it and removes its data",
        cluster.process_id()
    );
    cluster.watch()
}
