//! The units of updates, without their contents.

use crate::id_set::IdSet;
use crate::state_vector::StateVector;
use crate::update::Update;

/// Which units a document holds and which it has deleted: enough to say what an update brings and
/// what a peer lacks.
///
/// It has no limit of its own: [`IdSet::len`] of both sets says how many ranges it has, which a
/// server that keeps summaries must limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    held: IdSet,
    deleted: IdSet,
}

impl Summary {
    /// Adds the units of an update.
    pub fn add(&mut self, update: &Update<'_>) {
        for (client, found) in &update.structs {
            self.held.insert(*client, found.clocks());
        }
        for (client, clocks) in &update.deletions {
            self.deleted.insert(*client, clocks.clone());
        }
    }

    /// Whether an update brings nothing new: it need neither be stored nor sent on.
    #[must_use]
    pub fn has(&self, update: &Update<'_>) -> bool {
        update.structs.iter().all(|(client, found)| self.held.contains(*client, &found.clocks()))
            && update
                .deletions
                .iter()
                .all(|(client, clocks)| self.deleted.contains(*client, clocks))
    }

    /// The update that a peer with this state vector lacks, if the peer lacks at most deletions. A
    /// state vector says nothing of deletions, so the update has all of them. `None` if the peer
    /// lacks units.
    #[must_use]
    pub fn deletions(&self, vector: &StateVector) -> Option<Vec<u8>> {
        let has_all =
            |client| self.held.of(client).last().is_none_or(|last| last.end <= vector.get(client));
        self.held.clients().all(has_all).then(|| {
            let mut out = vec![0];
            self.deleted.put(&mut out);
            out
        })
    }

    /// How much of each client there is without a gap.
    #[must_use]
    pub fn state_vector(&self) -> StateVector {
        self.held
            .clients()
            .filter_map(|client| {
                let first = self.held.of(client).next()?;
                (first.start == 0).then_some((client, first.end))
            })
            .collect()
    }

    /// Whether units lie behind a gap: an update that comes before them is still missing.
    #[must_use]
    pub fn has_gaps(&self) -> bool {
        let whole = self.state_vector();
        self.held.clients().any(|client| {
            self.held.of(client).last().is_some_and(|last| last.end != whole.get(client))
        })
    }

    /// The units that it holds.
    #[must_use]
    pub fn held(&self) -> &IdSet {
        &self.held
    }

    /// The units that it has deleted, held or not.
    #[must_use]
    pub fn deleted(&self) -> &IdSet {
        &self.deleted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    #[test]
    fn an_update_that_is_known_brings_nothing() {
        let limits = Limits { bytes: 100, structs: 10, depth: 1 };
        let scan = |bytes| Update::scan(bytes, &limits).unwrap();
        // Garbage of client 7 from clocks 0 and 3 on, and a deletion.
        let (first, late) =
            (scan(&[1, 1, 7, 0, 0, 2, 0]), scan(&[1, 1, 7, 3, 0, 2, 1, 7, 1, 0, 1]));
        let mut known = Summary::default();
        assert!(known.has(&scan(&[0, 0])) && !known.has(&first));
        known.add(&first);
        known.add(&late);
        // What lies behind the gap is known as well.
        assert!(known.has(&first) && known.has(&late));
        assert_eq!(known.state_vector(), StateVector::from_iter([(7, 2)]));
        assert!(!known.has(&scan(&[1, 1, 7, 2, 0, 1, 0])));
        assert!(!known.has(&scan(&[0, 1, 7, 1, 0, 2])));
        assert!(known.has(&scan(&[1, 1, 7, 4, 0, 1, 0])));
        // A peer with all units may lack the deletion; another one lacks units.
        let deletions = |clock| known.deletions(&StateVector::from_iter([(7, clock)]));
        assert_eq!(deletions(5), Some(vec![0, 1, 7, 1, 0, 1]));
        assert_eq!([deletions(4), deletions(0)], [None, None]);
        assert_eq!(Summary::default().deletions(&StateVector::default()), Some(vec![0, 0]));
    }
}
