//! The layer that lets only those in whose token will do.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, Request, Response, StatusCode};
use tower_layer::Layer;
use tower_service::Service;

use super::{Refusal, ResourceServer};

/// Protects the services that it is put around: see [`ResourceServer::layer`].
///
/// ```no_run
/// # fn run(server: portolan_sdk::resource_server::ResourceServer) -> axum::Router {
/// use axum::{Router, routing::get};
///
/// Router::new().route("/data", get(|| async { "secret" })).layer(server.layer())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ProtectLayer {
    server: ResourceServer,
}

impl ProtectLayer {
    /// With these demands.
    pub fn new(server: ResourceServer) -> Self {
        Self { server }
    }
}

impl<S> Layer<S> for ProtectLayer {
    type Service = Protect<S>;

    fn layer(&self, inner: S) -> Protect<S> {
        Protect {
            server: self.server.clone(),
            inner,
        }
    }
}

/// A service behind a [`ProtectLayer`]. It gets only requests of callers that may come in,
/// with the [`Caller`](super::Caller) among their extensions.
///
/// ```no_run
/// # fn run(server: portolan_sdk::resource_server::ResourceServer) {
/// use tower::Layer;
///
/// let protected = server.layer().layer(axum::Router::<()>::new());
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Protect<S> {
    server: ResourceServer,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Protect<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: From<String>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let server = self.server.clone();
        // The one that was asked whether it is ready goes, its clone stays.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        Box::pin(async move {
            let authorization = match authorization(request.headers()) {
                Ok(value) => value.map(str::to_owned),
                Err(refusal) => return Ok(refused(&refusal)),
            };
            match server.authenticate(authorization.as_deref()).await {
                Ok(caller) => {
                    request.extensions_mut().insert(caller);
                    inner.call(request).await
                }
                Err(refusal) => Ok(refused(&refusal)),
            }
        })
    }
}

/// The one `Authorization` header; two of them are an attempt to be understood in two ways.
fn authorization(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| Refusal::Malformed),
        (Some(_), Some(_)) => Err(Refusal::Malformed),
    }
}

fn refused<R: From<String>>(refusal: &Refusal) -> Response<R> {
    let mut response = Response::new(R::from(refusal.document().to_string()));
    *response.status_mut() = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::FORBIDDEN);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(value) = refusal
        .www_authenticate()
        .and_then(|text| HeaderValue::try_from(text).ok())
    {
        headers.insert(WWW_AUTHENTICATE, value);
    }
    if matches!(refusal, Refusal::Unavailable(_)) {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
