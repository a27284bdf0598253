//! The outermost layer: what a request knows about itself, what is told about it.
//!
//! It makes the [`Ctx`], finds out the client's address, sets `X-Request-Id`, writes one
//! line of log and counts. It stands on the path of every introspection, so it is written
//! by hand: no boxed future, no look-up of a metric by name, no text made for a line that
//! the filter drops. The line shows the path but never the query, headers or bodies.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use axum::extract::{ConnectInfo, MatchedPath, Request};
use axum::response::Response;
use http::header::{HeaderName, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::app::{App, Ctx, RequestId};
use crate::config::Config;
use crate::http::{browser, render};
use crate::metrics::RouteMetrics;
use crate::texts::Language;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// What a request without a route counts as; its path is chosen by the caller.
const NO_ROUTE: &str = "(none)";
/// The target of the line that each request writes; a log filter can name it.
const LOG_TARGET: &str = "portolan::request";

/// Surrounds every route: `router.layer(context::layer(&app))`, as the last layer added.
pub fn layer(app: &App) -> ContextLayer {
    ContextLayer { app: app.clone() }
}

#[derive(Clone)]
pub struct ContextLayer {
    app: App,
}

impl<S> Layer<S> for ContextLayer {
    type Service = ContextService<S>;

    fn layer(&self, inner: S) -> ContextService<S> {
        ContextService {
            app: self.app.clone(),
            route: Arc::default(),
            inner,
        }
    }
}

/// The router makes one of these for each route and clones it for each request.
#[derive(Clone)]
pub struct ContextService<S> {
    app: App,
    /// The counters of this route, found at its first request.
    route: Arc<OnceLock<Route>>,
    inner: S,
}

struct Route {
    pattern: String,
    metrics: RouteMetrics,
}

impl<S> Service<Request> for ContextService<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = ContextFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let started = Instant::now();
        let peer = request
            .extensions()
            .get::<ConnectInfo<SocketAddr>>()
            .map(|peer| peer.0.ip());
        let address = client_address(&self.app.config, peer, request.headers());
        let request_id = RequestId::new();
        let metrics = self.route_metrics(&request);
        let line = tracing::enabled!(target: LOG_TARGET, tracing::Level::INFO).then(|| Line::of(&request, address));
        let user_agent = request.headers().get(USER_AGENT).cloned();
        let chosen = browser::chosen_language(request.headers(), &self.app.config);
        let language = chosen.or_else(|| Language::accepted(request.headers()));
        let can_be_reloaded = request.method() == Method::GET;
        request.extensions_mut().insert(Ctx {
            now: self.app.clock.now(),
            request_id,
            address,
            user_agent,
            language: language.unwrap_or_default(),
            language_is_chosen: chosen.is_some(),
            can_be_reloaded,
        });
        ContextFuture {
            inner: self.inner.call(request),
            started,
            request_id,
            metrics,
            line,
        }
    }
}

impl<S> ContextService<S> {
    fn route_metrics(&self, request: &Request) -> RouteMetrics {
        let pattern = request
            .extensions()
            .get::<MatchedPath>()
            .map_or(NO_ROUTE, MatchedPath::as_str);
        let find = || self.app.metrics.route(pattern);
        let route = self.route.get_or_init(|| Route {
            pattern: pattern.to_owned(),
            metrics: find(),
        });
        // A fallback is one service for many paths.
        if route.pattern == pattern {
            route.metrics.clone()
        } else {
            find()
        }
    }
}

/// A uuid with its dashes.
const LONGEST_ID: usize = 36;

/// What the log says about the request; made only if it will be written.
struct Line {
    method: Method,
    uri: Uri,
    pattern: Option<MatchedPath>,
    address: Option<IpAddr>,
}

impl Line {
    fn of(request: &Request, address: Option<IpAddr>) -> Self {
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            pattern: request.extensions().get().cloned(),
            address,
        }
    }

    /// The path, unless it holds the secret of a one-time link: then the pattern of its
    /// route. Of a path without a route only the beginning: it may be such a link with a
    /// slip in it. No id is longer than a uuid; what is may be a token that somebody put in
    /// the wrong place.
    fn path(&self) -> &str {
        let path = self.uri.path();
        let may_hold_secret = |path: &str| path.split('/').any(|segment| segment.len() > LONGEST_ID);
        match self.pattern.as_ref().map(MatchedPath::as_str) {
            Some(pattern) if pattern.contains("{token}") || may_hold_secret(path) => pattern,
            Some(_) => path,
            None => {
                let end = path.match_indices('/').nth(2).map_or(path.len(), |(at, _)| at);
                let beginning = &path[..end];
                if may_hold_secret(beginning) { "/" } else { beginning }
            }
        }
    }

    fn write(&self, status: StatusCode, started: Instant, request_id: RequestId) {
        let address = self.address.map(tracing::field::display);
        tracing::info!(
            target: LOG_TARGET,
            method = self.method.as_str(),
            path = self.path(),
            status = status.as_u16(),
            micros = started.elapsed().as_micros() as u64,
            request_id = %request_id,
            address,
        );
    }
}

pin_project! {
    pub struct ContextFuture<F> {
        #[pin]
        inner: F,
        started: Instant,
        request_id: RequestId,
        metrics: RouteMetrics,
        line: Option<Line>,
    }
}

impl<F> Future for ContextFuture<F>
where
    F: Future<Output = Result<Response, Infallible>>,
{
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // The layers inside render panics as their surface does; this is for those that
        // happen outside of every surface.
        let mut response = match std::panic::catch_unwind(AssertUnwindSafe(|| this.inner.poll(cx))) {
            Ok(poll) => {
                let Ok(response) = ready!(poll);
                response
            }
            Err(panic) => render::panicked(panic.as_ref(), *this.request_id),
        };
        response
            .headers_mut()
            .insert(X_REQUEST_ID, header_value(*this.request_id));
        this.metrics.count(response.status(), this.started.elapsed());
        if let Some(line) = this.line {
            line.write(response.status(), *this.started, *this.request_id);
        }
        Poll::Ready(Ok(response))
    }
}

fn header_value(request_id: RequestId) -> HeaderValue {
    HeaderValue::try_from(request_id.to_string()).expect("hexadecimal digits fit into a header")
}

/// Who the client is. Nothing that a client says is believed: `X-Forwarded-For` counts
/// only if the peer is a configured proxy, and of its entries only those that a
/// configured proxy has added, which are the ones at the end.
fn client_address(config: &Config, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
    let mut address = peer?.to_canonical();
    if config.trusted_proxies.is_empty() || !config.is_trusted_proxy(address) {
        return Some(address);
    }
    let lists: Vec<&HeaderValue> = headers.get_all(X_FORWARDED_FOR).iter().collect();
    for list in lists.into_iter().rev() {
        for entry in list.as_bytes().rsplit(|byte| *byte == b',') {
            // What cannot be read was not written by our proxy: the last address that is
            // known stays.
            let Some(hop) = std::str::from_utf8(entry).ok().and_then(parse_hop) else {
                return Some(address);
            };
            address = hop;
            if !config.is_trusted_proxy(address) {
                return Some(address);
            }
        }
    }
    Some(address)
}

/// `192.0.2.1`, `192.0.2.1:1234`, `2001:db8::1`, `[2001:db8::1]:1234`: proxies write all four.
fn parse_hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address = text
        .parse()
        .or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()));
    let address = address.or_else(|_| text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>());
    address.ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn only_what_configured_proxies_have_added_is_believed() {
        let config = Config {
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/64".parse().unwrap()],
            ..Config::default()
        };
        let cases: &[(&str, &[&str], &str)] = &[
            // A stranger says whatever he likes.
            ("203.0.113.9", &["192.0.2.1"], "203.0.113.9"),
            ("203.0.113.9", &["10.0.0.1"], "203.0.113.9"),
            // One proxy, several proxies, several headers.
            ("10.0.0.1", &["192.0.2.1"], "192.0.2.1"),
            ("10.0.0.1", &["192.0.2.1, 10.0.0.2"], "192.0.2.1"),
            ("10.0.0.1", &["192.0.2.1", "10.0.0.2"], "192.0.2.1"),
            // The client wrote the first entries itself.
            ("10.0.0.1", &["198.51.100.7, 192.0.2.1"], "192.0.2.1"),
            ("10.0.0.1", &["198.51.100.7", "192.0.2.1, 10.0.0.2"], "192.0.2.1"),
            ("10.0.0.1", &["10.0.0.9, 192.0.2.1"], "192.0.2.1"),
            // Nothing there, or nothing that can be read.
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &[""], "10.0.0.1"),
            ("10.0.0.1", &["unknown"], "10.0.0.1"),
            ("10.0.0.1", &["192.0.2.1, nonsense, 10.0.0.2"], "10.0.0.2"),
            // All of them proxies: a request from inside.
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            // Spellings.
            ("10.0.0.1", &["192.0.2.1:4711"], "192.0.2.1"),
            ("10.0.0.1", &["[2001:db8:1::1]:4711"], "2001:db8:1::1"),
            ("10.0.0.1", &["[2001:db8:1::1]"], "2001:db8:1::1"),
            ("10.0.0.1", &["::ffff:192.0.2.1"], "192.0.2.1"),
            ("::ffff:10.0.0.1", &["192.0.2.1"], "192.0.2.1"),
            ("2001:db8::5", &["192.0.2.1"], "192.0.2.1"),
        ];
        for (peer, lists, expected) in cases {
            let mut headers = HeaderMap::new();
            for list in *lists {
                headers.append(X_FORWARDED_FOR, list.parse().unwrap());
            }
            let address = client_address(&config, Some(peer.parse().unwrap()), &headers);
            assert_eq!(address, Some(expected.parse().unwrap()), "{peer} {lists:?}");
        }
    }

    #[test]
    fn without_configured_proxies_the_peer_is_the_client() {
        let mut headers = HeaderMap::new();
        headers.append(X_FORWARDED_FOR, "192.0.2.1".parse().unwrap());
        let peer: IpAddr = "127.0.0.1".parse().unwrap();
        assert_eq!(client_address(&Config::default(), Some(peer), &headers), Some(peer));
        assert_eq!(client_address(&Config::default(), None, &headers), None);
    }

    #[test]
    fn of_a_path_without_a_route_only_the_beginning_is_logged() {
        let path = |uri: &str| {
            let line = Line {
                method: Method::GET,
                uri: uri.parse().unwrap(),
                pattern: None,
                address: None,
            };
            line.path().to_owned()
        };
        assert_eq!(path("/p/setup/very-secret?x=secret"), "/p/setup");
        assert_eq!(path("/nothing?code=secret"), "/nothing");
        assert_eq!(path("/"), "/");
        assert_eq!(path(&format!("/{}", "A".repeat(53))), "/");
    }

    mod over_http {
        use axum::Router;
        use axum::body::Body;
        use axum::routing::get;
        use http_body_util::BodyExt;
        use tower::ServiceExt;

        use super::*;
        use crate::app::Clock;
        use crate::error::Error;
        use crate::start;

        fn server(app: &App) -> Router {
            let panics = || async {
                if true {
                    panic!("a mistake of ours");
                }
            };
            let routes = || {
                Router::new()
                    .route("/panics", get(panics))
                    .route("/hangs", get(std::future::pending::<()>))
                    .route(
                        "/refuses",
                        get(|| async { Error::too_many_requests("too fast").retry_after(LIMIT) }),
                    )
                    .route(
                        "/address",
                        get(|ctx: Ctx| async move { format!("{:?} {}", ctx.address, ctx.request_id) }),
                    )
            };
            Router::new()
                .nest("/api", routes().layer(render::render_api(app)))
                .nest("/oauth", routes().layer(render::render_oauth(app)))
                .nest("/web", routes().layer(render::render_web(app)))
                .nest("/bare", routes())
                .layer(layer(app))
        }

        const LIMIT: std::time::Duration = std::time::Duration::from_millis(1500);

        /// Asks as a peer on the network would.
        fn ask(app: &App, path: &str) -> (http::response::Parts, String) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            runtime.unwrap().block_on(async {
                let mut request = Request::new(Body::empty());
                *request.uri_mut() = path.parse().unwrap();
                let peer: SocketAddr = "192.0.2.1:4711".parse().unwrap();
                request.extensions_mut().insert(ConnectInfo(peer));
                let (parts, body) = server(app).oneshot(request).await.unwrap().into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                (parts, String::from_utf8(body.to_vec()).unwrap())
            })
        }

        #[test]
        fn every_answer_carries_the_request_id_that_its_document_shows() {
            let folder = tempfile::tempdir().unwrap();
            let app = start::tests::app(&folder);
            for path in [
                "/api/address",
                "/api/refuses",
                "/oauth/refuses",
                "/web/refuses",
                "/api/panics",
                "/bare/panics",
            ] {
                let (parts, body) = ask(&app, path);
                let id = parts.headers["x-request-id"].to_str().unwrap();
                assert_eq!(id.len(), 32, "{path}");
                assert!(body.contains(id), "{path}: {body}");
            }
            assert!(ask(&app, "/nothing").0.headers.contains_key("x-request-id"));
            assert!(ask(&app, "/api/address").1.starts_with("Some(192.0.2.1) "));
        }

        #[test]
        fn a_panic_is_an_internal_error_in_the_form_of_its_surface() {
            let folder = tempfile::tempdir().unwrap();
            let app = start::tests::app(&folder);
            for (path, words) in [
                ("/api/panics", "\"error\":\"internal_error\""),
                ("/oauth/panics", "\"error\":\"server_error\""),
                ("/web/panics", "<html"),
                ("/bare/panics", "\"code\":\"INTERNAL_ERROR\""),
            ] {
                let (parts, body) = ask(&app, path);
                assert_eq!(parts.status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
                assert!(body.contains(words), "{path}: {body}");
                assert!(!body.contains("a mistake of ours"), "{path}: the cause is only logged");
            }
        }

        #[test]
        fn a_request_that_takes_too_long_is_answered() {
            let folder = tempfile::tempdir().unwrap();
            let mut config = start::tests::config(&folder);
            config.limits.request_seconds = 0;
            let (app, _) = start::start(config, Clock::System).unwrap();
            let (parts, body) = ask(&app, "/api/hangs");
            assert_eq!(parts.status, StatusCode::REQUEST_TIMEOUT);
            assert!(body.contains("REQUEST_TIMEOUT"), "{body}");
            assert!(ask(&app, "/web/hangs").1.contains("<html"));
        }

        #[test]
        fn errors_are_never_cached_and_say_when_to_come_back() {
            let folder = tempfile::tempdir().unwrap();
            let app = start::tests::app(&folder);
            for path in ["/api/refuses", "/oauth/refuses", "/web/refuses"] {
                let (parts, _) = ask(&app, path);
                assert_eq!(parts.status, StatusCode::TOO_MANY_REQUESTS);
                assert_eq!(parts.headers["retry-after"], "2", "{path}: rounded up");
                assert_eq!(parts.headers["cache-control"], "no-store", "{path}");
            }
            assert_eq!(ask(&app, "/oauth/refuses").0.headers["pragma"], "no-cache");
            let policy = ask(&app, "/web/refuses").0.headers["content-security-policy"].clone();
            assert!(policy.to_str().unwrap().contains("default-src 'none'"));
        }

        #[test]
        fn requests_are_counted_under_their_route() {
            let folder = tempfile::tempdir().unwrap();
            let app = start::tests::app(&folder);
            ask(&app, "/api/address");
            ask(&app, "/api/address?x=1");
            ask(&app, "/no/such/path/with-a-secret");
            let page = app.metrics.render(&app.db);
            assert!(
                page.contains("portolan_http_requests_total{route=\"/api/address\",status=\"2xx\"} 2"),
                "{page}"
            );
            assert!(
                page.contains("portolan_http_requests_total{route=\"(none)\",status=\"4xx\"} 1"),
                "{page}"
            );
            assert!(!page.contains("secret"));
        }
    }
}
