//! The local program: the same service as the Lambda handlers, on an embedded DynamoDB, any other
//! endpoint or PostgreSQL, and the commands that manage companies, users and API keys in it.

mod certificate_expiry;
mod console;
mod consumption;
mod database_arguments;
mod dynamodb;
mod end_signal;
mod logging;
mod manage;
mod operator_listener;
mod output;
mod place;
mod probe;
mod progress;
mod serve;
mod store_arguments;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;

/// The allocator. With the allocator of the C library, allocating takes a sixth of the time of a request. SQLite keeps
/// that one, because its pages would take a quarter more memory here.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Exit status of a program whose output is no longer read, as shells report it: 128 plus the signal's number.
const ENDED_BY_SIGPIPE: u8 = 128 + 13;

/// An error that ends the program with a message.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Parser)]
#[command(
    name = "paradigm-scim",
    version,
    about = "SCIM 2.0 service provider of Paradigm, on this machine"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the SCIM routes over HTTP
    Serve(serve::Serve),
    /// Show the directory, its changes and its health in a browser of this machine; changes nothing
    Console(console::ConsoleCommand),
    /// Serve DynamoDB's API on the embedded store, for handlers that run as processes
    #[command(name = "dynamodb")]
    DynamoDb(dynamodb::DynamoDb),
    /// Make the schema of a PostgreSQL database, and show its state
    #[command(subcommand)]
    Database(manage::database::Database),
    /// Create, list, suspend and resume companies
    #[command(subcommand)]
    Company(manage::company::Company),
    /// Create, import, list, show and restore users, and give or take permissions
    #[command(subcommand)]
    User(manage::user::User),
    /// Create, list, rotate and revoke API keys
    #[command(subcommand)]
    Key(manage::key::Key),
    /// Show the audit trail of a company or user
    Audit(manage::audit::Audit),
    /// Anonymise a user by hand, or erase users again in a restored table
    Erase(manage::erase::Erase),
    /// Check that the items of the table agree with each other, and repair what does not
    Check(manage::check::Check),
    /// Copy a directory to another store: DynamoDB, PostgreSQL or a folder
    Copy(manage::copy::Copy),
    /// Play an identity provider against a SCIM endpoint, and report what it would get
    Simulate(probe::simulate::Simulate),
    /// Check a deployed instance from outside, and say what to change
    Doctor(probe::doctor::Doctor),
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Serve(serve) => serve.run().await,
        Command::Console(console) => console.run().await,
        Command::DynamoDb(dynamodb) => dynamodb.run().await,
        Command::Database(database) => database.run().await,
        Command::Company(company) => company.run().await,
        Command::User(user) => user.run().await,
        Command::Key(key) => key.run().await,
        Command::Audit(audit) => audit.run().await,
        Command::Erase(erase) => erase.run().await,
        Command::Check(check) => check.run().await,
        Command::Copy(copy) => copy.run().await,
        Command::Simulate(simulate) => simulate.run().await,
        Command::Doctor(doctor) => doctor.run().await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if output::is_closed(&failure) => ExitCode::from(ENDED_BY_SIGPIPE),
        Err(failure) => {
            output::complain(&failure);
            ExitCode::FAILURE
        }
    }
}
