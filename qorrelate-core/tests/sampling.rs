//! The published formula: every implementation answers what `tests/vectors/sampling.json` says.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test")]

use std::process::Command;
use std::time::{Duration, Instant};

use qorrelate_core::{SamplingFormula, SessionId, SessionRatio};
use serde_json::Value;

const VECTORS: &str = include_str!("vectors/sampling.json");

/// Each ID, with its hash as the Collector shows it, and what is to be answered at each ratio.
fn each_vector(mut check: impl FnMut(&str, &SessionId, u32, &dyn Fn(&str) -> Vec<(f64, bool)>)) {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let ratios: Vec<_> =
        vectors["ratios"].as_array().unwrap().iter().map(|ratio| ratio.as_f64().unwrap()).collect();
    for vector in vectors["ids"].as_array().unwrap() {
        let text = vector["id"].as_str().unwrap();
        let hash = u32::from_str_radix(vector["hash"].as_str().unwrap(), 16).unwrap();
        let answers = |formula: &str| {
            let answers = vector[formula].as_array().into_iter().flatten();
            ratios.iter().copied().zip(answers.map(|answer| answer.as_bool().unwrap())).collect()
        };
        check(text, &text.parse().unwrap(), hash, &answers);
    }
}

#[test]
fn the_answers_are_those_of_the_vectors() {
    let (mut ours, mut datadogs) = (0, 0);
    each_vector(|text, id, hash, answers| {
        for (ratio, answer) in answers("sampled") {
            assert_eq!(id.is_sampled(ratio), answer, "{text} at {ratio}");
            assert_eq!(SessionRatio::new(ratio).keeps(id), answer, "{text} at {ratio}");
            ours += 1;
        }
        for (ratio, answer) in answers("datadog_rum") {
            let by = SamplingFormula::DatadogRum;
            assert_eq!(id.is_sampled_by(by, ratio), answer, "{text} at {ratio}");
            assert_eq!(SessionRatio::new(ratio).formula(by).keeps(id), answer, "{text} at {ratio}");
            datadogs += 1;
        }
        // To the bit: what is just not kept, and what just is.
        let scale = |number: u32| f64::from(number) / 4_294_967_296.0;
        assert!(!id.is_sampled(scale(hash)), "{text}");
        assert!(id.is_sampled(scale(hash.saturating_add(1))), "{text}");
    });
    assert_eq!((ours, datadogs), (640, 240));
}

#[test]
fn the_pages_function_answers_the_same() {
    let script = concat!(
        include_str!("../browser/is-sampled.js"),
        r#"
        const vectors = JSON.parse(require("fs").readFileSync(0, "utf8"));
        const wrong = [];
        const check = (id, ratio, answer) => isSampled(id, ratio) === answer || wrong.push([id, ratio]);
        for (const { id, hash, sampled } of vectors.ids) {
          vectors.ratios.forEach((ratio, at) => check(id, ratio, sampled[at]));
          const number = parseInt(hash, 16);
          check(id, number / 4294967296, false);
          check(id, (number + 1) / 4294967296, true);
          for (const none of [NaN, -1, -0, -Infinity]) check(id, none, false);
          for (const all of [1.5, Infinity]) check(id, all, true);
        }
        console.log(JSON.stringify({ checked: vectors.ids.length, wrong }));
        "#
    );
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/sampling.json");
    let mut run = Command::new("node");
    run.args(["-e", script]).stdin(std::fs::File::open(file).unwrap());
    let output = run.output().expect("node is installed: tests/run does that");
    let said = String::from_utf8(output.stdout).unwrap();
    let failed = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.trim(), r#"{"checked":64,"wrong":[]}"#, "{failed}");
}

/// The Collector compares texts: those of 8 hex digits are in the order of the numbers.
#[test]
fn the_collectors_condition_answers_the_same() {
    each_vector(|text, id, hash, answers| {
        let shown_by_the_collector = format!("{hash:08x}");
        for (ratio, answer) in answers("sampled") {
            if ratio > 0.0 && ratio < 1.0 {
                let limit = format!("{:08x}", (ratio * 4_294_967_296.0).ceil() as u64);
                assert_eq!(shown_by_the_collector < limit, answer, "{text} at {ratio}");
                assert_eq!(id.is_sampled(ratio), answer);
            }
        }
    });
}

#[test]
fn what_a_ratio_keeps_a_higher_one_keeps_too() {
    for n in 0..2000 {
        let id: SessionId = format!("session-{n}").parse().unwrap();
        for formula in [SamplingFormula::Murmur3, SamplingFormula::DatadogRum] {
            let kept: Vec<_> = (0..=100)
                .map(|percent| id.is_sampled_by(formula, f64::from(percent) / 100.0))
                .collect();
            assert!(kept.is_sorted() && !kept[0] && kept[100], "{id}");
        }
    }
}

#[test]
fn a_session_is_kept_because_somebody_says_so() {
    let ratio = SessionRatio::new(0.0).keep_if(|id| id == "vip");
    let id = |id: &str| id.parse::<SessionId>().unwrap();
    assert!(ratio.keeps(&id("vip")));
    assert!(!ratio.keeps(&id("sampling-kept")));
    id("sampling-kept").keep();
    assert!(ratio.keeps(&id("sampling-kept")));
    id("sampling-kept").stop_keeping();
    assert!(!ratio.keeps(&id("sampling-kept")));
}

#[test]
fn a_session_is_kept_for_as_long_as_was_said() {
    let id: SessionId = "sampling-for-a-second".parse().unwrap();
    id.keep_for(Duration::from_millis(1));
    assert!(id.is_kept());
    let started = Instant::now();
    while id.is_kept() {
        assert!(started.elapsed() < Duration::from_secs(30), "its time is never up");
        std::thread::sleep(Duration::from_millis(20));
    }
}
