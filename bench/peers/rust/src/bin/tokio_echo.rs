// SPDX-License-Identifier: MIT
// A peer: tokio, current_thread, TCP echo, a task a connection.
//
//     $ tokio_echo PORT [BYTES]        of each connection's buffer
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).expect("usage: tokio_echo PORT [BYTES]");
    let size: usize = std::env::args().nth(2).map_or(16384, |word| word.parse().unwrap());
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(format!("127.0.0.1:{port}").parse().unwrap())?;
    let listener = socket.listen(4096)?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            if stream.set_nodelay(true).is_err() {
                return;
            }
            let mut buffer = vec![0u8; size];
            while let Ok(count) = stream.read(&mut buffer).await {
                if count == 0 || stream.write_all(&buffer[..count]).await.is_err() {
                    break;
                }
            }
        });
    }
}
