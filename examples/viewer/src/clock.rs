//! The browser's clock and the servers': how far apart they are.
//!
//! The browser's clock may be wrong by hours. What is known for certain is what happened before what: a batch arrives
//! after it was sent, and a server works on a request after the browser began it and before the browser has the answer.

/// Times of one request, in nanoseconds, each pair by its own clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    pub(crate) browser: (i64, i64),
    pub(crate) server: (i64, i64),
}

/// What to add to the browser's times for the servers'.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Clock {
    pub(crate) offset: i64,
    /// How far from it the truth may be, where requests tell.
    pub(crate) uncertainty: Option<i64>,
}

/// From the smallest difference between a batch's arrival and its sending, and from requests seen by both sides.
pub(crate) fn align(arrival: i64, requests: &[Pair]) -> Clock {
    // Each request began at the browser before it began at the server.
    let begins = requests.iter().map(|pair| pair.server.0.saturating_sub(pair.browser.0));
    let most = begins.fold(arrival, i64::min);
    // It ended at the server before it ended at the browser, unless the server went on after it had answered: such a
    // request says more than can be true.
    let ends = requests.iter().map(|pair| pair.server.1.saturating_sub(pair.browser.1));
    match ends.filter(|end| *end <= most).max() {
        Some(least) => {
            let half = most.saturating_sub(least) / 2;
            Clock { offset: least + half, uncertainty: Some(half) }
        }
        None => Clock { offset: most, uncertainty: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;
    const HOUR: i64 = 3_600_000 * MS;

    /// A request that the server worked on from `from` to `to`, and took `before` and `after` to travel.
    fn request(offset: i64, (from, to): (i64, i64), before: i64, after: i64) -> Pair {
        Pair { browser: (from - before - offset, to + after - offset), server: (from, to) }
    }

    fn contains(clock: Clock, pair: Pair) -> bool {
        pair.browser.0 + clock.offset <= pair.server.0
            && pair.server.1 <= pair.browser.1 + clock.offset
    }

    #[test]
    fn arrival_is_the_first_estimate() {
        assert_eq!(align(3 * HOUR, &[]), Clock { offset: 3 * HOUR, uncertainty: None });
    }

    #[test]
    fn requests_narrow_a_clock_that_is_hours_off() {
        for offset in [-7 * HOUR, -1, 0, 5 * HOUR] {
            let requests = [
                request(offset, (100 * HOUR, 100 * HOUR + 20 * MS), 30 * MS, 2 * MS),
                request(offset, (101 * HOUR, 101 * HOUR + 5 * MS), 4 * MS, 40 * MS),
            ];
            // Every batch took 80 ms to arrive.
            let clock = align(offset + 80 * MS, &requests);
            assert!((clock.offset - offset).abs() <= 3 * MS, "{clock:?} {offset}");
            assert_eq!(clock.uncertainty, Some(3 * MS));
            assert!(requests.into_iter().all(|pair| contains(clock, pair)), "{clock:?}");
        }
    }

    #[test]
    fn a_server_that_goes_on_after_its_answer_moves_nothing() {
        let streamed = Pair { browser: (0, 10 * MS), server: (2 * MS, HOUR) };
        let plain = request(0, (20 * MS, 30 * MS), 2 * MS, 2 * MS);
        let clock = align(50 * MS, &[streamed, plain]);
        assert_eq!(clock, Clock { offset: 0, uncertainty: Some(2 * MS) });
    }

    #[test]
    fn absurd_times_are_no_trouble() {
        let absurd = Pair { browser: (i64::MAX, 0), server: (0, i64::MAX) };
        align(i64::MIN, &[absurd]);
        align(i64::MAX, &[absurd, Pair { browser: (0, i64::MAX), server: (i64::MAX, 0) }]);
    }
}
