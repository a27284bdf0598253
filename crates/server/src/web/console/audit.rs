//! The audit trail, searched as `portolan audit` does it.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use portolan_db::ReadTx;
use portolan_types::Timestamp;
use uuid::Uuid;

use super::{Events, Visit, Wants, next_page, typed};
use crate::app::{App, Ctx};
use crate::domain::identity::typed_username;
use crate::domain::trail::{self, Filter, Place, Rest, Who};
use crate::error::Result;
use crate::http::browser::PagePolicy;
use crate::http::extract::{Params, Query};
use crate::store::{clients, identities};
use crate::web::pages::FormErrors;
use crate::web::pages::console::{AuditFields, AuditPage, AuditRest};
use crate::web::render;
use crate::web::visit::Page;

const PER_PAGE: usize = 50;
/// How much of the trail is read for one page; a link goes on from there.
const PAGES_AT_ONCE: usize = 20;
const A_DAY: std::time::Duration = std::time::Duration::from_secs(86_400);

/// What was typed, and what it means.
struct Wanted {
    fields: AuditFields,
    filter: Filter,
    until: Option<Timestamp>,
    errors: FormErrors,
}

impl Wanted {
    fn read(ctx: &Ctx, params: &Params) -> Self {
        let fields = AuditFields {
            actor: typed(params, "actor"),
            action: typed(params, "action"),
            kind: typed(params, "kind"),
            id: typed(params, "id"),
            since: typed(params, "since"),
            until: typed(params, "until"),
        };
        let mut errors = FormErrors::none();
        let mut time = |field: &'static str, text: &str| {
            let read = read_time(text);
            if read.is_none() && !text.is_empty() {
                errors = std::mem::take(&mut errors).and(field, ctx.text("console-audit-bad-time"));
            }
            read
        };
        let since = time("since", &fields.since).map(|(at, _)| at);
        // A day lasts until its end.
        let until = time("until", &fields.until).map(|(at, is_day)| if is_day { at + A_DAY } else { at });
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let filter = Filter {
            since,
            action: some(&fields.action),
            kind: some(&fields.kind),
            id: some(&fields.id),
            ..Filter::default()
        };
        Self {
            fields,
            filter,
            until,
            errors,
        }
    }
}

/// `2026-02-03` is the day in UTC, `2026-02-03T09:15:00Z` a moment.
fn read_time(text: &str) -> Option<(Timestamp, bool)> {
    let is_day = text.len() == 10;
    let text = if is_day {
        format!("{text}T00:00:00Z")
    } else {
        text.to_owned()
    };
    Some((text.parse().ok()?, is_day))
}

/// Who is meant: `operator`, `system`, an id, a username, or the name that one client has.
fn find_actor(tx: &mut ReadTx, local_domain: &str, text: &str) -> Result<Option<Who>> {
    Ok(match text {
        "operator" => Some(Who::Operator),
        "system" => Some(Who::System),
        text => match text.parse::<Uuid>() {
            // Whoever did it may be gone, so an id need not be known.
            Ok(id) => Some(Who::Id(id)),
            Err(_) => match identities::find_by_username(tx, &typed_username(text, local_domain))? {
                Some(identity) => Some(Who::Id(identity.id.0)),
                None => {
                    let named = clients::list_by_name(tx, text)?;
                    named
                        .first()
                        .filter(|_| named.len() == 1)
                        .map(|client| Who::Id(client.id.0))
                }
            },
        },
    })
}

fn read_place(params: &Params) -> Option<Place> {
    let at = params.get("before")?.parse().ok()?;
    Some((Timestamp::from_micros(at), params.get("event")?.parse().ok()?))
}

/// What a search came to.
enum Outcome {
    Found(Events, Rest),
    /// There is nobody of this name.
    Nobody,
}

/// `GET /p/console/audit`
pub async fn audit_page(State(app): State<App>, ctx: Ctx, headers: HeaderMap, query: Result<Query>) -> Page {
    let Query(params) = query?;
    let visit = Visit::new(app, ctx, &headers, "audit");
    let mut wanted = Wanted::read(&visit.ctx, &params);
    let before = read_place(&params).unwrap_or_else(|| trail::place_before(wanted.until));
    let (filter, actor) = (wanted.filter.clone(), wanted.fields.actor.clone());
    let (local_domain, is_readable) = (visit.app.config.local_domain.clone(), wanted.errors.is_empty());
    let (administrator, outcome) = visit
        .read(Wants::Look, move |tx, _| {
            let mut filter = filter.clone();
            if !actor.is_empty() {
                filter.actor = find_actor(tx, &local_domain, &actor)?;
                if filter.actor.is_none() {
                    return Ok(Outcome::Nobody);
                }
            }
            let found = match is_readable {
                true => trail::search(tx, &filter, before, PER_PAGE, PAGES_AT_ONCE)?,
                false => trail::Found {
                    entries: Vec::new(),
                    rest: Rest::Nothing,
                },
            };
            Ok(Outcome::Found(Events::of(tx, found.entries)?, found.rest))
        })
        .await?;
    let (events, rest) = match outcome {
        Outcome::Found(events, rest) => (visit.events(events), rest),
        Outcome::Nobody => {
            wanted.errors = wanted.errors.and("actor", visit.ctx.text("console-audit-nobody"));
            (Vec::new(), Rest::Nothing)
        }
    };
    let fields = &wanted.fields;
    let further = |(at, event): Place| {
        let (at, event) = (at.micros().to_string(), event.to_string());
        next_page(
            "audit",
            &[
                ("actor", &fields.actor),
                ("action", &fields.action),
                ("kind", &fields.kind),
                ("id", &fields.id),
                ("since", &fields.since),
                ("until", &fields.until),
                ("before", &at),
                ("event", &event),
            ],
        )
    };
    let is_refused = !wanted.errors.is_empty();
    let page = AuditPage {
        layout: visit.layout(visit.ctx.text("console-audit-title"), &administrator),
        rest: match rest {
            Rest::Nothing => AuditRest::Nothing,
            Rest::More(place) => AuditRest::More(further(place)),
            Rest::Unread(place) => AuditRest::Unread(further(place)),
        },
        fields: wanted.fields,
        events,
        errors: wanted.errors,
    };
    let mut response = render(&page, &PagePolicy::default())?;
    if is_refused {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_days_or_moments() {
        let day = Timestamp::from_seconds(1_770_076_800);
        for (text, expected) in [
            ("2026-02-03", Some((day, true))),
            ("2026-02-03T00:00:00Z", Some((day, false))),
            ("2026-02-30", None),
            ("3.2.2026", None),
            ("yesterday!", None),
            ("", None),
        ] {
            assert_eq!(read_time(text), expected, "{text}");
        }
    }
}
