use futures::FutureExt;

use super::*;

#[tokio::test]
async fn a_connection_beyond_the_bound_waits_for_another_to_end() {
    // COORD-23.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut listener = BoundedListener::new(listener, 2);
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
