//! A proxy in front of several servers that gives each new connection to the next of them,
//! as a balancer without sticky sessions does. A server that does not answer is passed over.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

pub struct Proxy {
    // Ends its tasks when dropped.
    _runtime: Runtime,
}

impl Proxy {
    /// Listens at `port` in front of the servers at the other ports.
    pub fn start(port: u16, servers: &[u16]) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", port))).unwrap();
        let (servers, turn): (Arc<[u16]>, _) = (servers.into(), AtomicUsize::new(0));
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let first = turn.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(pass_on(client, servers.clone(), first));
            }
        });
        Self { _runtime: runtime }
    }
}

async fn pass_on(mut client: TcpStream, servers: Arc<[u16]>, first: usize) {
    for attempt in 0..servers.len() {
        let port = servers[(first + attempt) % servers.len()];
        let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else {
            continue;
        };
        let _ = client.set_nodelay(true);
        let _ = server.set_nodelay(true);
        // An error is the end of one of the two; the other one sees its connection end.
        let _ = copy_bidirectional(&mut client, &mut server).await;
        return;
    }
}
