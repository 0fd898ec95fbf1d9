// SPDX-License-Identifier: MIT
// A peer: hyper on tokio, current_thread. `/` greets, `/json` greets in JSON, `/file` sends the file.
//
//     $ hyper_http PORT FILE
//
// Debian has no crate that serves files over hyper: the file is read for each request, as a handler without one does.
use hyper::service::{make_service_fn, service_fn};
use hyper::{header, Body, Request, Response, Server};
use std::convert::Infallible;

fn answer(request: Request<Body>, file: &str) -> Response<Body> {
    let (kind, body) = match request.uri().path() {
        "/json" => ("application/json", Body::from(format!("{{\"message\":\"{}\"}}", "Hello, World!"))),
        "/file" => ("application/octet-stream", Body::from(std::fs::read(file).unwrap())),
        _ => ("text/plain", Body::from("Hello, World!")),
    };
    Response::builder().header(header::CONTENT_TYPE, kind).body(body).unwrap()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().expect("usage: hyper_http PORT FILE");
    let file = arguments.next().expect("usage: hyper_http PORT FILE");
    let make = make_service_fn(move |_| {
        let file = file.clone();
        async move {
            Ok::<_, Infallible>(service_fn(move |request| {
                let response = answer(request, &file);
                async move { Ok::<_, Infallible>(response) }
            }))
        }
    });
    let address = format!("127.0.0.1:{port}").parse().unwrap();
    Server::bind(&address).tcp_nodelay(true).http1_pipeline_flush(true).serve(make).await.unwrap();
}
