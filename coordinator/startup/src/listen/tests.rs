use futures::FutureExt;

use super::*;

#[tokio::test]
async fn a_connection_beyond_the_bound_waits_for_another_to_end() {
    // COORD-23.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut listener = BoundedListener::new(listener, 2, Duration::from_mins(1));
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(TcpStream::connect(address).await.unwrap());
    }
    let (first, _) = listener.accept().await;
    let (_second, _) = listener.accept().await;
    assert!(listener.accept().now_or_never().is_none(), "there is no place");
    drop(first);
    let (_, third) = listener.accept().await;
    assert_eq!(third, clients[2].local_addr().unwrap());
}

#[tokio::test]
async fn a_connection_on_which_nothing_moves_ends() {
    // COORD-23.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut listener = BoundedListener::new(listener, 1, Duration::from_millis(20));
    let _silent = TcpStream::connect(address).await.unwrap();
    let (mut connection, _) = listener.accept().await;
    let error = tokio::io::AsyncReadExt::read_u8(&mut connection).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}
