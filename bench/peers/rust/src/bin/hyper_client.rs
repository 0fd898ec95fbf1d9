// SPDX-License-Identifier: MIT
// A peer: hyper's client on tokio, current_thread; see bench/client_eddy.cpp for what it does and prints.
//
//     $ hyper_client PORT CONNECTIONS SECONDS
use hyper::{body, client::HttpConnector, Body, Client, Uri};
use std::time::{Duration, Instant};

// Of all threads of this process, in seconds.
fn cpu() -> f64 {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let nanoseconds = |path: std::path::PathBuf| -> f64 {
        let text = std::fs::read_to_string(path.join("schedstat")).unwrap_or_default();
        text.split_whitespace().next().map_or(0.0, |word| word.parse().unwrap())
    };
    threads.map(|thread| nanoseconds(thread.unwrap().path())).sum::<f64>() / 1e9
}

async fn ask(client: Client<HttpConnector, Body>, uri: Uri, end: Instant) -> usize {
    let mut count = 0;
    while Instant::now() < end {
        let response = client.get(uri.clone()).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(body::to_bytes(response.into_body()).await.unwrap(), "Hello, World!");
        count += 1;
    }
    count
}

async fn all(client: &Client<HttpConnector, Body>, uri: &Uri, connections: usize, seconds: f64) -> usize {
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let tasks: Vec<_> = (0..connections).map(|_| tokio::spawn(ask(client.clone(), uri.clone(), end))).collect();
    let mut count = 0;
    for task in tasks {
        count += task.await.unwrap();
    }
    count
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let words: Vec<String> = std::env::args().collect();
    let uri: Uri = format!("http://127.0.0.1:{}/", words[1]).parse().unwrap();
    let (connections, seconds): (usize, f64) = (words[2].parse().unwrap(), words[3].parse().unwrap());
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder().pool_max_idle_per_host(connections).build(connector);
    all(&client, &uri, connections, 0.3).await;
    let (began, before) = (Instant::now(), cpu());
    let count = all(&client, &uri, connections, seconds).await;
    let elapsed = began.elapsed().as_secs_f64();
    println!("{{\"rate\": {:.0}, \"total\": {count}, \"cpu_us\": {:.3}}}", count as f64 / elapsed, (cpu() - before) / count as f64 * 1e6);
}
