//! ClientQuota and turns of which there are few; one client may not have all places.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{client::Client, rate::Allowance};

/// A client that is counted may have one part in this many.
const SHARE: usize = 4;

/// All places of a kind.
#[derive(Debug)]
pub struct ClientQuota {
    max: usize,
    taken: Mutex<QuotaUse>,
}

#[derive(Debug, Default)]
struct QuotaUse {
    count: usize,
    by_client: HashMap<Client, usize>,
}

/// A place, for as long as this is held.
#[derive(Debug)]
pub struct QuotaPermit {
    places: Arc<ClientQuota>,
    client: Option<Client>,
}

impl ClientQuota {
    /// A quota of `max` permits, of which one client may hold one part in [`SHARE`].
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, taken: Mutex::default() })
    }

    /// A place for whoever has this allowance; `None` if there is none, or none for them.
    pub fn take(self: &Arc<Self>, allowance: &Allowance) -> Option<QuotaPermit> {
        self.take_for(allowance.client())
    }

    fn take_for(self: &Arc<Self>, client: Option<Client>) -> Option<QuotaPermit> {
        let mut taken = self.lock();
        if taken.count >= self.max {
            return None;
        }
        if let Some(client) = client {
            let of_client = taken.by_client.entry(client).or_default();
            if *of_client >= self.max.div_ceil(SHARE) {
                return None;
            }
            *of_client += 1;
        }
        taken.count += 1;
        drop(taken);
        Some(QuotaPermit { places: Arc::clone(self), client })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, QuotaUse> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for QuotaPermit {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        taken.count -= 1;
        let Some(client) = self.client else { return };
        let of_client = taken.by_client.get_mut(&client).expect("invariant: it has this one");
        *of_client -= 1;
        if *of_client == 0 {
            taken.by_client.remove(&client);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(last: u8) -> Option<Client> {
        Some(Client::of([10, 0, 0, last].into()))
    }

    #[test]
    fn one_client_does_not_get_all_places() {
        let places = ClientQuota::new(9);
        let mut first: Vec<_> = (0..3).map(|_| places.take_for(client(1))).collect();
        assert!(first.iter().all(Option::is_some));
        assert!(places.take_for(client(1)).is_none(), "its share");
        let others: Vec<_> = [2, 2, 2, 3, 3].map(|last| places.take_for(client(last))).into();
        assert!(others.iter().all(Option::is_some));
        first.pop();
        assert!(places.take_for(client(1)).is_some(), "and leaves at once");
        let free: Vec<_> = (0..3).map(|_| places.take_for(None)).collect();
        assert_eq!(
            free.iter().flatten().count(),
            2,
            "whoever is not counted may have what is left"
        );
        assert!(places.take_for(client(4)).is_none());
        drop((first, others, free));
        assert_eq!(places.lock().count, 0);
        assert!(places.lock().by_client.is_empty());
    }
}
