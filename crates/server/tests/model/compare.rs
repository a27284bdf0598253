//! What the server says beside what the model says.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use serde_json::Value;

use super::super::model::{ALICE, BOB, Holder, IDENTITIES, Issued, Kind, Node, Place, Refusal, Token};
use super::super::pages::Shown;
use super::words::name_set;
use super::{Check, Driver, GRANT, expect_status, text};
use crate::support::{Answer, Auth, Params, Request};

/// The most tokens that are looked at after each step; at the end all are.
const SAMPLE: usize = 10;

impl Driver<'_> {
    pub(super) fn compare_issued(
        &mut self,
        answer: &Answer,
        documents: impl Fn(&Answer) -> Vec<Value>,
        foreseen: Result<Vec<Issued>, Refusal>,
    ) -> Check {
        let issued = match foreseen {
            Err(refusal) => return self.compare_refusal(answer, &refusal),
            Ok(issued) => issued,
        };
        expect_status(answer, 200)?;
        let documents = documents(answer);
        if documents.len() != issued.len() {
            differ!("{} tokens, not {}: {}", documents.len(), issued.len(), answer.summary());
        }
        self.tokens.resize(self.model.tokens.len(), String::new());
        for issued in issued {
            let name = self.service_names[issued.service].as_str();
            let of_service = |document: &&Value| document["resource_server"] == name;
            let Some(document) = documents.iter().find(of_service) else {
                differ!("no token of service {}: {}", issued.service, answer.summary());
            };
            let Issued { access, refresh, .. } = issued;
            self.note(format!(
                "  token {access} of service {}{}{}",
                issued.service,
                name_set(" for ", Some(&issued.scopes)),
                refresh.map_or(String::new(), |refresh| format!(", with refresh token {refresh}")),
            ));
            self.compare_document(document, issued.service, &issued.scopes)?;
            self.tokens[access] = text(&document["access_token"])?;
            match (refresh, document["refresh_token"].as_str()) {
                (Some(refresh), Some(token)) => self.tokens[refresh] = token.to_owned(),
                (None, None) => {}
                (foreseen, _) => differ!("a refresh token was foreseen: {foreseen:?}, but: {document}"),
            }
        }
        Ok(())
    }

    pub(super) fn compare_document(&self, document: &Value, service: usize, scopes: &BTreeSet<usize>) -> Check {
        if document["resource_server"] != self.service_names[service].as_str() {
            differ!("not for service {service}: {document}");
        }
        self.compare_scopes(&text(&document["scope"])?, scopes)
    }

    /// A flat list of the names, each once.
    pub(super) fn compare_scopes(&self, listed: &str, scopes: &BTreeSet<usize>) -> Check {
        let mut listed: Vec<&str> = listed.split(' ').collect();
        let mut names: Vec<&str> = scopes.iter().map(|scope| self.scopes[*scope].1.as_str()).collect();
        listed.sort_unstable();
        names.sort_unstable();
        if listed != names {
            differ!("the scopes {listed:?}, not {names:?}");
        }
        Ok(())
    }

    pub(super) fn compare_refusal(&mut self, answer: &Answer, refusal: &Refusal) -> Check {
        let outcome = answer.outcome();
        let foreseen: &'static str = match refusal {
            Refusal::InvalidClient => "401 invalid_client",
            Refusal::InvalidGrant => "400 invalid_grant",
            Refusal::InvalidScope => "400 invalid_scope",
            Refusal::DependentConsentRequired(_) => "403 dependent_consent_required",
        };
        if outcome != foreseen {
            differ!("{}, not {refusal:?}", answer.summary());
        }
        self.refusals.push(foreseen);
        if let Refusal::DependentConsentRequired(scopes) = refusal {
            let document = answer.json();
            let listed = document["errors"][0]["unapproved_scopes"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let listed: Vec<&str> = listed.iter().filter_map(Value::as_str).collect();
            return self.compare_scopes(&listed.join(" "), scopes);
        }
        Ok(())
    }

    /// The newest tokens, and some of the others in turn.
    pub(super) fn check_sample(&mut self) -> Check {
        let count = self.model.tokens.len();
        let newest = count.saturating_sub(SAMPLE / 2)..count;
        let start = self.turn.get() * 7;
        let others = (0..SAMPLE / 2)
            .map(|step| (start + step) % count.max(1))
            .filter(|token| *token < count);
        let tokens: BTreeSet<usize> = newest.chain(others).collect();
        self.check_tokens(&tokens.into_iter().collect::<Vec<_>>())
    }

    pub(super) fn check_tokens(&mut self, tokens: &[usize]) -> Check {
        let mut asked = Vec::new();
        let mut requests = Vec::new();
        for &token in tokens {
            if let Some((introspection, request)) = self.ask_about(token) {
                asked.push((token, introspection));
                requests.push(request);
            }
        }
        let answers = self.laboratory.nodes[0].at_once(requests);
        for ((token, introspection), answer) in asked.into_iter().zip(answers) {
            expect_status(&answer, 200)?;
            let document = answer.json();
            self.comparisons += 1;
            let known = &self.model.tokens[token];
            if document["active"] != known.is_active() {
                let why = known.ended.as_deref().unwrap_or("nothing ended it");
                differ!("token {token} is active: {}; but {why}", document["active"]);
            }
            if introspection && known.is_active() {
                self.check_introspection(token, &document)?;
            }
        }
        Ok(())
    }

    /// The service that a token is for introspects it; its holder validates it.
    pub(super) fn ask_about(&mut self, token: usize) -> Option<(bool, Request)> {
        let Token { kind, service, .. } = self.model.tokens[token];
        let text = self.tokens[token].clone();
        let introspection = kind == Kind::Access && self.model.services[service] && !self.turn.get().is_multiple_of(4);
        let (client, path) = if introspection {
            (self.services[service].at(self.node()), "/v2/oauth2/token/introspect")
        } else if self.model.can_ask(token) {
            (self.holder(token), "/v2/oauth2/token/validate")
        } else {
            return None;
        };
        let request = client.server.request(Method::POST, path);
        Some((introspection, request.auth(&client.auth(), &[("token", &text)])))
    }

    pub(super) fn check_introspection(&mut self, token: usize, document: &Value) -> Check {
        let known = &self.model.tokens[token];
        self.compare_scopes(&text(&document["scope"])?, &known.scopes())?;
        if document["sub"] != self.identities[known.identity].to_string() {
            differ!("token {token} speaks for somebody else: {document}");
        }
        let holder = match known.holder {
            Holder::App(app) => self.apps[app].id,
            Holder::Service(service) => self.services[service].id,
        };
        if document["client_id"] != holder.to_string() {
            differ!("token {token} was issued to somebody else: {document}");
        }
        let cache_id = text(&document["dependent_tokens_cache_id"])?;
        let there = self.model.obtainable(token);
        if let Some((seen, stood_for)) = self.caches.get(&token)
            && *stood_for != there
            && *seen == cache_id
        {
            differ!("the cache id of token {token} stays although other tokens can be had for it");
        }
        self.caches.insert(token, (cache_id, there));
        Ok(())
    }

    /// Every token, every consent, and what can be had for each token.
    pub(super) fn check_all(&mut self) -> Check {
        let tokens: Vec<usize> = (0..self.model.tokens.len()).collect();
        for part in tokens.chunks(40) {
            self.check_tokens(part)?;
        }
        self.check_consents()?;
        self.check_obtainable()?;
        self.check_refreshing()
    }

    pub(super) fn check_consents(&mut self) -> Check {
        for person in [ALICE, BOB] {
            for which in 0..IDENTITIES {
                let linked = self.model.is_linked(person) || self.model.identities[which].signs_in;
                if self.model.identities[which].person != person || !linked {
                    continue;
                }
                let path = format!("/v2/api/identities/{}/consents?all=True", self.identities[which]);
                let answer = self.manager(person, |driver, token| {
                    let request = driver.node().request(Method::GET, &path);
                    request.authorization(&Auth::Bearer(token.to_owned())).send()
                });
                let Some(answer) = answer.filter(|answer| answer.status != 403) else {
                    continue;
                };
                expect_status(&answer, 200)?;
                self.compare_consents(which, &answer.json())?;
            }
        }
        Ok(())
    }

    pub(super) fn compare_consents(&self, identity: usize, answer: &Value) -> Check {
        let documents = answer["consents"].as_array().cloned().unwrap_or_default();
        let find = |id: &Value| documents.iter().find(|document| document["id"] == *id);
        let scope_of = |id: &Value| {
            let scope = find(id)?["scope"].as_str()?;
            self.scopes.iter().position(|(known, _)| known.to_string() == scope)
        };
        let mut listed = BTreeMap::new();
        for document in &documents {
            let path = document["dependency_path"].as_array().cloned().unwrap_or_default();
            let root = path.first().and_then(find);
            let app = self
                .apps
                .iter()
                .position(|app| root.is_some_and(|root| root["client"] == app.id.to_string()));
            let Some(app) = app else { continue };
            let scopes: Option<Vec<usize>> = path.iter().map(scope_of).collect();
            let Some(path) = scopes else {
                differ!("a consent with a path that leads nowhere: {document}")
            };
            let user = match path.len().checked_sub(2) {
                None => self.apps[app].id,
                Some(above) => self.services[self.model.scopes[path[above]].service].id,
            };
            if document["client"] != user.to_string() {
                differ!("a consent for somebody else: {document}");
            }
            let place = Place { identity, app, path };
            listed.insert(
                place,
                (
                    document["allows_refresh"] == true,
                    document["atomically_revocable"] == true,
                ),
            );
        }
        let own = self.model.consents().filter(|(place, _)| place.identity == identity);
        let foreseen: BTreeMap<Place, (bool, bool)> = own
            .map(|(place, consent)| (place.clone(), (consent.allows_refresh, consent.alone)))
            .collect();
        if listed != foreseen {
            differ!("the consents are {listed:?}, not {foreseen:?}");
        }
        Ok(())
    }

    pub(super) fn check_obtainable(&mut self) -> Check {
        let live = |(_, token): &(usize, &Token)| token.kind == Kind::Access && token.is_live();
        let tokens: Vec<usize> = self
            .model
            .tokens
            .iter()
            .enumerate()
            .filter(live)
            .map(|(index, _)| index)
            .collect();
        for part in tokens.chunks(40) {
            let mut requests = Vec::new();
            for &token in part {
                let client = self.services[self.model.tokens[token].service].at(self.node());
                let params = Params::default()
                    .set("grant_type", GRANT)
                    .set("token", &self.tokens[token]);
                requests.push(client.token_request(&params));
            }
            let answers = self.laboratory.nodes[0].at_once(requests);
            for (&token, answer) in part.iter().zip(answers) {
                self.compare_obtainable(token, &answer)
                    .map_err(|difference| format!("for token {token}: {difference}"))?;
            }
        }
        Ok(())
    }

    pub(super) fn compare_obtainable(&mut self, token: usize, answer: &Answer) -> Check {
        let services = match self.model.dependents(token) {
            Err(refusal) => return self.compare_refusal(answer, &refusal),
            Ok(services) => services,
        };
        expect_status(answer, 200)?;
        let documents = answer.json().as_array().cloned().unwrap_or_default();
        if documents.len() != services.len() {
            differ!("{} dependent tokens, not {}", documents.len(), services.len());
        }
        for (service, scopes) in &services {
            let name = self.service_names[*service].as_str();
            let Some(document) = documents.iter().find(|document| document["resource_server"] == name) else {
                differ!("no dependent token of service {service}: {}", answer.summary());
            };
            self.compare_document(document, *service, scopes)?;
        }
        Ok(())
    }

    /// Every refresh token is used once more, but copies that would end their family.
    pub(super) fn check_refreshing(&mut self) -> Check {
        for token in 0..self.model.tokens.len() {
            let known = &self.model.tokens[token];
            if known.kind == Kind::Refresh && known.successor.is_none() {
                self.refresh(token, None)?;
            }
        }
        Ok(())
    }
}

/// What the page shows is what the model expands to, with a box where something is optional.
pub(super) fn compare_trees(shown: &[Shown], foreseen: &[Node]) -> Check {
    type Plain = Vec<(Vec<usize>, bool)>;
    pub(super) fn of_page(shown: &[Shown], path: &mut Vec<usize>, plain: &mut Plain) {
        for node in shown {
            path.push(node.scope);
            plain.push((path.clone(), node.place.is_some()));
            of_page(&node.below, path, plain);
            path.pop();
        }
    }
    pub(super) fn of_model(nodes: &[Node], path: &mut Vec<usize>, plain: &mut Plain) {
        for node in nodes {
            path.push(node.scope);
            plain.push((path.clone(), node.edge.optional));
            of_model(&node.below, path, plain);
            path.pop();
        }
    }
    let (mut page, mut model) = (Plain::new(), Plain::new());
    of_page(shown, &mut Vec::new(), &mut page);
    of_model(foreseen, &mut Vec::new(), &mut model);
    page.sort();
    model.sort();
    if page != model {
        differ!("the page asks for {page:?}, not for {model:?}");
    }
    Ok(())
}
