//! The command line of people and developers, against real servers and in a real terminal: on
//! SQLite always, on PostgreSQL where one is named by `PORTOLAN_TEST_POSTGRES_URL`.

#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

#[path = "command_line/answers.rs"]
mod answers;
#[path = "command_line/home.rs"]
mod home;
#[path = "command_line/people.rs"]
mod people;
#[path = "command_line/places.rs"]
mod places;
