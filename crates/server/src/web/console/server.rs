//! The state of the server: versions, store, what waits, which node does what, and what
//! `portolan doctor` finds as far as it can be seen from inside.

use axum::extract::State;
use http::HeaderMap;

use super::{Visit, Wants};
use crate::app::{App, Ctx};
use crate::error::Error;
use crate::health::Report;
use crate::http::browser::PagePolicy;
use crate::store::{identities, keys, leases, outbox, settings};
use crate::web::pages::Moment;
use crate::web::pages::console::{LeaseRow, ServerFacts, ServerPage};
use crate::web::render;
use crate::web::visit::Page;

/// `GET /p/console/server`
pub async fn server_page(State(app): State<App>, ctx: Ctx, headers: HeaderMap) -> Page {
    let visit = Visit::new(app, ctx, &headers, "server");
    let engine = visit.app.db.engine();
    let (administrator, (version, size, waiting, held, stored, has_administrator)) = visit
        .read(Wants::Look, move |tx, _| {
            Ok((
                settings::schema_version(tx)?,
                settings::store_size(tx, engine)?,
                outbox::count_waiting(tx)?,
                leases::list(tx)?,
                keys::list(tx)?,
                identities::has_administrator(tx)?,
            ))
        })
        .await?;
    let (shared, now) = (visit.app.clone(), visit.ctx.now);
    // Looks at files and waits for the database.
    let report = tokio::task::spawn_blocking(move || {
        let mut report = Report::default();
        report.folder(&shared.config);
        report.clock(&shared.config, &shared.db, now, &stored);
        report.signing_keys(&stored, now);
        if !has_administrator {
            report.note("administrators", "there is none", "portolan user add NAME --admin");
        }
        report.settings(&shared.config, engine);
        report
    })
    .await
    .map_err(Error::internal)?;
    let stats = visit.app.db.stats();
    let page = ServerPage {
        layout: visit.layout(visit.ctx.text("console-server-title"), &administrator),
        facts: ServerFacts {
            version: env!("CARGO_PKG_VERSION"),
            engine: format!("{engine:?}"),
            schema: version.0,
            oldest_compatible: version.1,
            size: size_in_words(size),
            issuer: visit.app.config.issuer(),
            queued: stats.queued,
            refused: stats.refused,
            retries: stats.retries,
            mail_waiting: waiting,
        },
        leases: held
            .into_iter()
            .map(|lease| LeaseRow {
                is_held: lease.leased_until > now,
                until: Moment::minute(lease.leased_until),
                name: lease.name,
                holder: lease.holder.to_string(),
            })
            .collect(),
        findings: report.0,
    };
    Ok(render(&page, &PagePolicy::default())?)
}

/// "12.3 MiB"
fn size_in_words(bytes: i64) -> String {
    let bytes = bytes.max(0) as f64;
    let units = [
        ("GiB", 1024.0 * 1024.0 * 1024.0),
        ("MiB", 1024.0 * 1024.0),
        ("KiB", 1024.0),
    ];
    let unit = units.into_iter().find(|(_, size)| bytes >= *size);
    match unit {
        Some((name, size)) => format!("{:.1} {name}", bytes / size),
        None => format!("{bytes:.0} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_write_them() {
        for (bytes, words) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.5 KiB"),
            (12_897_484, "12.3 MiB"),
            (3_221_225_472, "3.0 GiB"),
        ] {
            assert_eq!(size_in_words(bytes), words);
        }
    }
}
