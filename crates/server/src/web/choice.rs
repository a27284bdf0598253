//! Through whom people can sign in, as the login page offers it: a few providers as they
//! are, many behind a search that needs no script. What the app asks for and what the
//! browser remembers comes first.

use http::{HeaderMap, HeaderValue};
use portolan_db::ReadTx;
use portolan_types::IdentityProviderId;

use super::Waiting;
use super::destination::Destination;
use super::pages::sign_in::{ProviderChoice, ProviderLink, ProviderSearch};
use super::pages::{CarriedField, Href};
use crate::app::App;
use crate::domain::{provider, upstream};
use crate::error::Result;
use crate::http::browser::{cookie_name, find_cookie};
use crate::store::identities;
use crate::store::identity_providers::{self, IdentityProvider, Offered};
use crate::upstream::provider::is_upstream;

/// The most that one page offers. More are found by searching.
const SHOWN: usize = 25;
/// The most domains that stand beside a name.
const DOMAINS: usize = 3;
/// The parameter of the search.
pub const SEARCH: &str = "idp_search";

/// What the browser asks with.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The text of a search.
    pub search: Option<String>,
    /// The provider of the last login in this browser.
    pub remembered: Option<IdentityProviderId>,
}

impl Asked {
    pub fn new(app: &App, headers: &HeaderMap, search: Option<&str>) -> Self {
        Self {
            search: search.map(|text| text.chars().take(200).collect()),
            remembered: find_cookie(headers, &remembered_name(app)).and_then(|value| value.parse().ok()),
        }
    }
}

fn remembered_name(app: &App) -> String {
    format!("{}-idp", cookie_name(&app.config))
}

/// The cookie that remembers a provider for a year. It is a convenience and gives nothing.
pub fn remember(app: &App, id: IdentityProviderId) -> HeaderValue {
    let secure = if app.config.cookie_secure() { "; Secure" } else { "" };
    let text = format!(
        "{}={id}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax{secure}",
        remembered_name(app)
    );
    HeaderValue::from_str(&text).expect("names and ids are ASCII")
}

/// What the store knows for the page.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    suggested: Vec<Offered>,
    others: Vec<Offered>,
    /// There are too many to show them all.
    search: Option<Search>,
}

#[derive(Clone, Debug)]
struct Search {
    text: String,
    more: bool,
}

/// `wants_domain`: none of the accounts that are signed in is of a domain that the app wants.
pub fn load(tx: &mut ReadTx, waiting: Option<&Waiting>, wants_domain: bool, asked: &Asked) -> Result<Choice> {
    if let Some(only) = narrowed(tx, waiting, wants_domain)? {
        return Ok(Choice {
            suggested: offers(tx, usable(only))?,
            ..Choice::default()
        });
    }
    let mut suggested = Vec::new();
    let preselected = waiting.and_then(|waiting| waiting.client.preselect_idp);
    for id in preselected.into_iter().chain(asked.remembered) {
        suggested.extend(identity_providers::find(tx, id)?);
    }
    if let Some(hint) = waiting.and_then(|waiting| waiting.request.login_hint.as_deref()) {
        suggested.extend(upstream::provider_of_hint(tx, hint)?);
    }
    // A particular account is proved where it is from.
    let required = waiting.map_or(&[][..], |waiting| &waiting.request.required_identities);
    if !required.is_empty() {
        let ids: Vec<IdentityProviderId> = identities::list_by_ids(tx, required)?
            .iter()
            .map(|identity| identity.provider_id)
            .collect();
        suggested.extend(identity_providers::list_by_ids(tx, &ids)?);
    }
    let suggested = usable(suggested);
    let shown = SHOWN as i64;
    let (mut others, search) = if identity_providers::count_choices(tx, shown + 1)? <= shown {
        let all = identity_providers::list_choices(tx, shown)?;
        (offers(tx, all)?, None)
    } else {
        let text = asked.search.clone().unwrap_or_default();
        let found = provider::search(tx, &text, SHOWN)?;
        (found.providers, Some(Search { text, more: found.more }))
    };
    others.retain(|provider| suggested.iter().all(|known| known.id != provider.id));
    Ok(Choice {
        suggested: offers(tx, suggested)?,
        others,
        search,
    })
}

/// The only providers that can meet what the app demands, if it demands some.
fn narrowed(tx: &mut ReadTx, waiting: Option<&Waiting>, wants_domain: bool) -> Result<Option<Vec<IdentityProvider>>> {
    let Some(waiting) = waiting else { return Ok(None) };
    if let Some(id) = waiting.client.required_idp {
        return Ok(Some(identity_providers::find(tx, id)?.into_iter().collect()));
    }
    let domains = &waiting.request.required_domains;
    // A pattern may fit any number of providers.
    if !wants_domain || domains.is_empty() || domains.iter().any(|domain| domain.contains('*')) {
        return Ok(None);
    }
    let domains: Vec<String> = domains.iter().map(|domain| domain.to_lowercase()).collect();
    Ok(Some(identity_providers::list_by_domains(tx, &domains)?))
}

/// Each once, those that people can sign in through, at most as many as a page shows.
fn usable(providers: Vec<IdentityProvider>) -> Vec<IdentityProvider> {
    let mut found: Vec<IdentityProvider> = Vec::new();
    for provider in providers {
        let is_new = found.iter().all(|known| known.id != provider.id);
        if is_new && provider.enabled && is_upstream(&provider.kind) && found.len() < SHOWN {
            found.push(provider);
        }
    }
    found
}

fn offers(tx: &mut ReadTx, providers: Vec<IdentityProvider>) -> Result<Vec<Offered>> {
    if providers.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<IdentityProviderId> = providers.iter().map(|provider| provider.id).collect();
    let domains = identity_providers::list_domains_of(tx, &ids)?;
    let offer = |provider: IdentityProvider| Offered {
        id: provider.id,
        name: provider.name,
        domains: domains
            .iter()
            .filter(|(id, _)| *id == provider.id)
            .map(|(_, domain)| domain.clone())
            .collect(),
    };
    Ok(providers.into_iter().map(offer).collect())
}

impl Choice {
    /// Links and form for the page of this request, or of a way to this destination.
    pub fn view(&self, request: Option<&str>, destination: &Destination) -> ProviderChoice {
        let mut carried = destination.fields();
        if let Some(request) = request {
            carried = vec![CarriedField {
                name: "request",
                value: request.to_owned(),
            }];
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(carried.iter().map(|field| (field.name, &field.value)));
        let query = query.finish();
        let link = |offer: &Offered| {
            let mut domains = offer
                .domains
                .iter()
                .take(DOMAINS)
                .cloned()
                .collect::<Vec<_>>()
                .join(", ");
            if offer.domains.len() > DOMAINS {
                domains.push_str(", …");
            }
            let path = format!("/p/login/with/{}", offer.id);
            ProviderLink {
                name: offer.name.clone(),
                domains,
                href: Href::path(if query.is_empty() {
                    path
                } else {
                    format!("{path}?{query}")
                }),
            }
        };
        ProviderChoice {
            suggested: self.suggested.iter().map(link).collect(),
            others: self.others.iter().map(link).collect(),
            search: self.search.as_ref().map(|search| ProviderSearch {
                text: search.text.clone(),
                more: search.more,
                carried,
            }),
        }
    }
}
