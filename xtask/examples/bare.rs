//! The yardstick of `cargo xtask bench`: an axum handler that parses a form and gives a
//! fixed answer of as many bytes as the first argument says; no middleware, no state.
//! What a request costs here is what HTTP costs.

use std::{collections::HashMap, net::Ipv4Addr};

use axum::{Form, Router, http::header::CONTENT_TYPE, routing::post};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let size: usize = std::env::args().nth(1).ok_or("usage: bare BYTES")?.parse()?;
    let frame = r#"{"active":true,"padding":""}"#.len();
    let answer: &'static str = Box::leak(
        format!(
            r#"{{"active":true,"padding":"{}"}}"#,
            "x".repeat(size.saturating_sub(frame))
        )
        .into_boxed_str(),
    );
    let handler = move |Form(fields): Form<HashMap<String, String>>| async move {
        let body = if fields.contains_key("token") {
            answer
        } else {
            r#"{"active":false}"#
        };
        ([(CONTENT_TYPE, "application/json")], body)
    };
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("ready at {}", listener.local_addr()?);
    axum::serve(listener, Router::new().route("/", post(handler))).await?;
    Ok(())
}
