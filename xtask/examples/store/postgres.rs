//! PostgreSQL by tokio-postgres.

use std::{
    error::Error,
    fmt::Write as _,
    time::{Duration, Instant},
};

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{SinkExt, future::try_join_all, pin_mut};
use tokio::runtime::Runtime;
use tokio_postgres::{
    Client, NoTls,
    types::{IsNull, ToSql, Type, to_sql_checked},
};

use crate::{GROUP, INSERT_TOKEN, INSERT_TOKEN_CONSENT, Result, Store, Value, issued_token, seed::Random};

/// How much is sent at once while filling.
const CHUNK: usize = 256 * 1024;
/// As many connections as the server has to a database on the same machine.
const CONNECTIONS: usize = 2;

impl ToSql for Value {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Value::Null => return Ok(IsNull::Yes),
            Value::Int(number) => out.put_i64(*number),
            Value::Text(text) => out.put_slice(text.as_bytes()),
            Value::Hash(bytes) => out.put_slice(bytes),
            Value::Id(bytes) => out.put_slice(bytes),
        }
        Ok(IsNull::No)
    }

    fn accepts(kind: &Type) -> bool {
        [Type::INT8, Type::TEXT, Type::BYTEA, Type::UUID].contains(kind)
    }

    to_sql_checked!();
}

fn connect(runtime: &Runtime, url: &str) -> Result<Client> {
    let (client, connection) = runtime.block_on(tokio_postgres::connect(url, NoTls))?;
    runtime.spawn(async move {
        if let Err(error) = connection.await {
            eprintln!("PostgreSQL: {error}");
        }
    });
    Ok(client)
}

/// Fills a database with COPY. Indexes that no constraint needs are made at the end, and
/// references are not checked row by row: the rows are ours and consistent.
pub struct Filler {
    runtime: Runtime,
    client: Client,
    indexes: Vec<String>,
}

impl Filler {
    pub fn connect(url: &str) -> Result<Filler> {
        let runtime = Runtime::new()?;
        let client = connect(&runtime, url)?;
        let found = runtime.block_on(async {
            client
                .batch_execute("SET session_replication_role = replica; SET maintenance_work_mem = '512MB'; BEGIN")
                .await?;
            let rows = client
                .query(
                    "SELECT indexname::text, indexdef FROM pg_indexes i
                      WHERE schemaname = current_schema()
                        AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conname = i.indexname)",
                    &[],
                )
                .await?;
            for row in &rows {
                client
                    .batch_execute(&format!("DROP INDEX \"{}\"", row.get::<_, String>(0)))
                    .await?;
            }
            Ok::<_, tokio_postgres::Error>(rows)
        })?;
        Ok(Filler {
            runtime,
            client,
            indexes: found.iter().map(|row| row.get(1)).collect(),
        })
    }
}

impl Store for Filler {
    fn find_id(&mut self, sql: &str) -> Result<[u8; 16]> {
        // As text, so that this program needs no UUID type.
        let row = self
            .runtime
            .block_on(self.client.query_one(&format!("SELECT ({sql})::text"), &[]))?;
        crate::parse_id(row.get(0))
    }

    fn load(&mut self, table: &str, columns: &str, rows: &mut dyn Iterator<Item = Vec<Value>>) -> Result<()> {
        self.runtime.block_on(async {
            let sink = self
                .client
                .copy_in::<_, Bytes>(&format!("COPY {table} ({columns}) FROM STDIN"))
                .await?;
            pin_mut!(sink);
            let mut text = String::with_capacity(CHUNK * 2);
            for row in rows {
                for (number, value) in row.iter().enumerate() {
                    if number > 0 {
                        text.push('\t');
                    }
                    copy_text(value, &mut text);
                }
                text.push('\n');
                if text.len() > CHUNK {
                    sink.feed(Bytes::from(std::mem::take(&mut text))).await?;
                }
            }
            sink.feed(Bytes::from(text)).await?;
            sink.finish().await?;
            Ok(())
        })
    }

    fn finish(&mut self) -> Result<()> {
        self.runtime.block_on(async {
            for sql in &self.indexes {
                self.client.batch_execute(sql).await?;
            }
            self.client.batch_execute("COMMIT").await?;
            self.client.batch_execute("VACUUM ANALYZE").await?;
            self.client.batch_execute("CHECKPOINT").await?;
            Ok(())
        })
    }
}

/// A value in the text form of COPY. Our texts hold no tab and no line break; a backslash
/// would begin an escape.
fn copy_text(value: &Value, text: &mut String) {
    let written = match value {
        Value::Null => text.write_str("\\N"),
        Value::Int(number) => write!(text, "{number}"),
        Value::Text(words) => text.write_str(words),
        Value::Hash(bytes) => text.write_str("\\\\x").and_then(|()| hex(bytes, text)),
        Value::Id(bytes) => hex(bytes, text),
    };
    written.expect("writing to a string succeeds");
}

fn hex(bytes: &[u8], text: &mut String) -> std::fmt::Result {
    bytes.iter().try_for_each(|byte| write!(text, "{byte:02x}"))
}

pub fn raw(url: &str, span: Duration) -> Result<(usize, Duration)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut writers = Vec::new();
    for number in 0..CONNECTIONS {
        writers.push((
            connect(&runtime, url)?,
            Random::new((u64::from(std::process::id()) << 8) + number as u64),
        ));
    }
    let started = Instant::now();
    let loops = writers
        .iter_mut()
        .map(|(client, random)| insert_groups(client, random, started, span));
    let units = runtime.block_on(try_join_all(loops))?;
    Ok((units.into_iter().sum(), started.elapsed()))
}

/// All statements of a group are on their way before the first answer is awaited.
async fn insert_groups(client: &Client, random: &mut Random, started: Instant, span: Duration) -> Result<usize> {
    let token = client.prepare(INSERT_TOKEN).await?;
    let consent = client.prepare(INSERT_TOKEN_CONSENT).await?;
    let mut units = 0;
    while started.elapsed() < span {
        let rows: Vec<_> = (0..GROUP)
            .map(|_| issued_token(random, 1_790_000_000_000_000))
            .collect();
        let begin = client.batch_execute("BEGIN");
        let inserts = rows.iter().map(|(token_row, consent_row)| async {
            let (first, second) = (references(token_row), references(consent_row));
            let inserted = (client.execute(&token, &first), client.execute(&consent, &second));
            futures_util::try_join!(inserted.0, inserted.1)
        });
        let commit = client.batch_execute("COMMIT");
        futures_util::try_join!(begin, try_join_all(inserts), commit)?;
        units += GROUP;
    }
    Ok(units)
}

fn references(row: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    row.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

/// What an ordinary client of the engine gets: each of many connections commits its own tokens,
/// one after another.
pub fn raw_alone(url: &str, connections: usize, span: Duration) -> Result<(usize, Duration)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut writers = Vec::new();
    for number in 0..connections {
        let random = Random::new((u64::from(std::process::id()) << 16) + number as u64);
        writers.push((connect(&runtime, url)?, random));
    }
    let started = Instant::now();
    let loops = writers
        .iter_mut()
        .map(|(client, random)| insert_alone(client, random, started, span));
    let units = runtime.block_on(try_join_all(loops))?;
    Ok((units.into_iter().sum(), started.elapsed()))
}

async fn insert_alone(client: &mut Client, random: &mut Random, started: Instant, span: Duration) -> Result<usize> {
    let token = client.prepare(INSERT_TOKEN).await?;
    let consent = client.prepare(INSERT_TOKEN_CONSENT).await?;
    let mut units = 0;
    while started.elapsed() < span {
        let (token_row, consent_row) = issued_token(random, 1_790_000_000_000_000);
        let transaction = client.transaction().await?;
        transaction.execute(&token, &references(&token_row)).await?;
        transaction.execute(&consent, &references(&consent_row)).await?;
        transaction.commit().await?;
        units += 1;
    }
    Ok(units)
}
