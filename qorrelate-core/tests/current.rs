//! The current session: where it is, and that nothing is left behind on a thread.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};

use qorrelate_core::SessionId;

fn id(id: &str) -> SessionId {
    id.parse().unwrap()
}

fn current() -> Option<String> {
    SessionId::current().map(|id| id.to_string())
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Says where it was dropped.
struct OnDrop(mpsc::Sender<Option<String>>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.send(current()).unwrap();
    }
}

#[test]
fn a_future_is_in_the_session_on_every_poll_and_nothing_is_between() {
    let mut polls = 0;
    let mut future = pin!(id("abc").scope(poll_fn(|_| {
        polls += 1;
        assert_eq!(current().as_deref(), Some("abc"));
        if polls == 3 { Poll::Ready(()) } else { Poll::Pending }
    })));
    for expected in [Poll::Pending, Poll::Pending, Poll::Ready(())] {
        assert_eq!(poll_once(future.as_mut()), expected);
        assert_eq!(current(), None);
    }
}

#[test]
fn a_cancelled_future_is_dropped_in_the_session_and_leaves_nothing() {
    let (sender, receiver) = mpsc::channel();
    let mut future = Box::pin(id("abc").scope(async move {
        let _on_drop = OnDrop(sender);
        std::future::pending::<()>().await;
    }));
    assert!(poll_once(future.as_mut()).is_pending());
    drop(future);
    assert_eq!(receiver.recv().unwrap().as_deref(), Some("abc"));
    assert_eq!(current(), None);
}

#[test]
fn a_future_that_panics_leaves_nothing() {
    let mut future = Box::pin(id("abc").scope(async { panic!("on purpose") }));
    assert!(catch_unwind(AssertUnwindSafe(|| poll_once(future.as_mut()))).is_err());
    assert_eq!(current(), None);
    drop(future);
    assert_eq!(current(), None);
}

#[test]
fn a_future_takes_its_session_along_to_another_thread() {
    let mut future = Box::pin(id("abc").scope(async {
        let before = current();
        tokio::task::yield_now().await;
        (before, current())
    }));
    assert!(poll_once(future.as_mut()).is_pending());
    let elsewhere = std::thread::spawn(move || {
        let result = poll_once(future.as_mut());
        assert_eq!(current(), None);
        result
    });
    let abc = Some("abc".to_owned());
    assert_eq!(elsewhere.join().unwrap(), Poll::Ready((abc.clone(), abc)));
    assert_eq!(current(), None);
}

#[test]
fn futures_of_two_sessions_that_take_turns_do_not_mix() {
    let work = |id: SessionId| {
        let expected = Some(id.to_string());
        id.scope(async move {
            for _ in 0..10 {
                assert_eq!(current(), expected);
                tokio::task::yield_now().await;
            }
        })
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let a = tokio::spawn(work(id("a")));
        let b = tokio::spawn(work(id("b")));
        a.await.unwrap();
        b.await.unwrap();
    });
}

#[test]
fn an_inner_session_ends_where_it_began() {
    let outer = id("outer").enter();
    id("inner").in_scope(|| assert_eq!(current().as_deref(), Some("inner")));
    assert_eq!(current().as_deref(), Some("outer"));
    drop(outer);
    assert_eq!(current(), None);
}

#[test]
fn guards_may_be_dropped_out_of_order() {
    let (a, b) = (id("a").enter(), id("b").enter());
    drop(a);
    assert_eq!(current().as_deref(), Some("b"));
    drop(b);
    assert_eq!(current(), None);
}

#[test]
fn a_closure_that_panics_leaves_nothing() {
    let result = catch_unwind(|| id("abc").in_scope(|| panic!("on purpose")));
    assert!(result.is_err());
    assert_eq!(current(), None);
}
