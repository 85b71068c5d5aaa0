//! The current session: where it is, and that nothing is left behind on a thread.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};

use qorrelate_core::{InCurrentSession, SessionId, SessionIdOutcome, in_current_session};

fn id(id: &str) -> SessionId {
    id.parse().unwrap()
}

fn current() -> Option<String> {
    SessionId::current().map(|id| id.to_string())
}

fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
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

#[test]
fn the_same_session_entered_twice_lasts_until_both_guards_are_dropped() {
    let id = id("abc");
    let (a, b) = (id.enter(), id.enter());
    drop(a);
    assert_eq!(current().as_deref(), Some("abc"));
    let c = id.enter();
    drop(c);
    assert_eq!(current().as_deref(), Some("abc"));
    drop(b);
    assert_eq!(current(), None);
}

#[test]
fn the_outer_session_comes_back_whatever_the_order_of_the_guards() {
    let outer = id("outer").enter();
    let (a, b) = (id("a").enter(), id("b").enter());
    drop(a);
    drop(b);
    assert_eq!(current().as_deref(), Some("outer"));
    drop(outer);
    assert_eq!(current(), None);
}

#[test]
fn a_task_is_given_the_session_that_is_current_where_it_is_made() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let spawned = || tokio::spawn(async { current() }.in_current_session());
        assert_eq!(spawned().await.unwrap(), None);
        let task = id("abc").in_scope(spawned);
        assert_eq!(task.await.unwrap().as_deref(), Some("abc"));
    });
}

#[test]
fn a_closure_is_given_the_session_that_is_current_where_it_is_made() {
    let spawned = || std::thread::spawn(in_current_session(current)).join().unwrap();
    assert_eq!(spawned(), None);
    assert_eq!(id("abc").in_scope(spawned).as_deref(), Some("abc"));

    let made_in_none = in_current_session(current);
    assert_eq!(id("abc").in_scope(made_in_none).as_deref(), Some("abc"));
}

/// What is dropped by a thread's own destructors finds no session, and must not end the process.
#[test]
fn on_a_thread_that_is_ending_there_is_no_session_and_no_panic() {
    struct OnExit(Option<Pin<Box<dyn Future<Output = ()>>>>);

    impl Drop for OnExit {
        fn drop(&mut self) {
            // Whichever of the thread's values is dropped first.
            let _ = (SessionId::current(), SessionIdOutcome::current());
            id("abc").in_scope(|| drop(SessionId::current()));
            drop(self.0.take());
        }
    }

    thread_local! {
        static BEFORE: std::cell::RefCell<OnExit> = const { std::cell::RefCell::new(OnExit(None)) };
        static AFTER: std::cell::RefCell<OnExit> = const { std::cell::RefCell::new(OnExit(None)) };
    }

    let pending = |sender: mpsc::Sender<Option<String>>| {
        let mut future: Pin<Box<dyn Future<Output = ()>>> = Box::pin(id("abc").scope(async move {
            let _on_drop = OnDrop(sender);
            std::future::pending::<()>().await;
        }));
        assert!(poll_once(future.as_mut()).is_pending());
        future
    };
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        // One is registered before our own thread-local, and one after it.
        BEFORE.with(|_| ());
        let future = pending(sender.clone());
        BEFORE.with(|before| before.borrow_mut().0 = Some(future));
        AFTER.with(|after| after.borrow_mut().0 = Some(pending(sender)));
    });
    thread.join().unwrap();
    assert_eq!(receiver.iter().count(), 2, "both were dropped");
}
