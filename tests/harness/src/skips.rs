//! `tests/skipped.json`: the tests that may be skipped, and why. A run fails when it skips another
//! test, and when it does not skip a listed test.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::platform::{Served, Store};
use crate::project::Project;
use crate::report::{Row, place};

/// Tests of a suite that need something that a platform does not have.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skip {
    suite: String,
    platform: String,
    /// `host` or `spin`, if the skip is for this runtime of Spin only.
    runtime: Option<String>,
    /// `sqlite` or `redis`, if the skip is for this store only.
    store: Option<String>,
    requirement: String,
    tests: usize,
}

/// The part of the list for this runtime of Spin and this store.
pub fn read(project: &Project, runtime: Served, store: Store) -> Result<Vec<Skip>> {
    let json =
        fs::read(project.tests().join("skipped.json")).context("cannot read tests/skipped.json")?;
    let list: Vec<Skip> = serde_json::from_slice(&json).context("tests/skipped.json")?;
    Ok(list.into_iter().filter(|skip| skip.is_for(runtime, store)).collect())
}

impl Skip {
    fn is_for(&self, runtime: Served, store: Store) -> bool {
        self.runtime.as_ref().is_none_or(|name| *name == runtime.to_string())
            && self.store.as_ref().is_none_or(|name| *name == store.to_string())
    }
}

/// Returns a sentence for each difference between the list and the skipped tests. Suites that did
/// not run do not count.
pub fn differences(list: &[Skip], rows: &[Row]) -> Vec<String> {
    let mut counts: BTreeMap<(&str, String, &str), (usize, usize)> = BTreeMap::new();
    for row in rows {
        for (requirement, tests) in row.wants() {
            counts.entry((&row.suite, place(row.platform), requirement)).or_default().0 += tests;
        }
    }
    for skip in list {
        if rows.iter().any(|row| row.suite == skip.suite && place(row.platform) == skip.platform) {
            counts.entry((&skip.suite, skip.platform.clone(), &skip.requirement)).or_default().1 +=
                skip.tests;
        }
    }
    counts.retain(|_, (found, listed)| found != listed);
    let sentence = |((suite, place, requirement), (found, listed)): (
        &(&str, String, &str),
        &(usize, usize),
    )| {
        format!(
            "{suite} on {place}: {found} tests were skipped ({requirement}), tests/skipped.json says {listed}"
        )
    };
    counts.iter().map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::Platform;
    use crate::report::Skipped;

    fn skip(suite: &str, tests: usize) -> Skip {
        Skip {
            suite: suite.to_owned(),
            platform: "spin".to_owned(),
            runtime: None,
            store: None,
            requirement: "websocket".to_owned(),
            tests,
        }
    }

    fn row(skipped: usize) -> Row {
        let one = Skipped { test: "a frame".to_owned(), requirement: "websocket".to_owned() };
        Row { skipped: vec![one; skipped], ..Row::new("input", Some(Platform::Spin)) }
    }

    #[test]
    fn the_list_holds_what_was_skipped_and_what_did_not_run() {
        assert!(differences(&[skip("input", 2), skip("order", 1)], &[row(2)]).is_empty());
    }

    #[test]
    fn a_skip_may_be_for_one_runtime_of_spin() {
        let skip = Skip { runtime: Some("spin".to_owned()), ..skip("lab/readers", 1) };
        let is_for = |runtime| skip.is_for(runtime, Store::Redis);
        assert_eq!((is_for(Served::Spin), is_for(Served::Host)), (true, false));
    }

    #[test]
    fn a_skip_may_be_for_one_store() {
        let skip = Skip { store: Some("redis".to_owned()), ..skip("lab/store", 1) };
        let is_for = |store| skip.is_for(Served::Host, store);
        assert_eq!((is_for(Store::Redis), is_for(Store::Sqlite)), (true, false));
    }

    #[test]
    fn a_skip_too_many_and_one_too_few_are_found() {
        for (listed, found) in
            [(vec![], 1), (vec![skip("input", 2)], 1), (vec![skip("input", 1)], 0)]
        {
            assert_eq!(differences(&listed, &[row(found)]).len(), 1);
        }
    }
}
