//! A quota of permits that one client cannot exhaust.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{client::Client, rate::Allowance};

/// A counted client may hold one part in this many.
const SHARE: usize = 4;

/// A fixed number of permits, for WebSockets for example.
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

/// A permit. Dropping it returns it to the quota.
#[derive(Debug)]
pub struct QuotaPermit {
    quota: Arc<ClientQuota>,
    client: Option<Client>,
}

impl ClientQuota {
    /// A quota of `max` permits, of which one client may hold one part in `SHARE`.
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, taken: Mutex::default() })
    }

    /// Takes a permit for the sender with this allowance. `None` if all permits are in use, or the
    /// client's share.
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
        Some(QuotaPermit { quota: Arc::clone(self), client })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, QuotaUse> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for QuotaPermit {
    fn drop(&mut self) {
        let mut taken = self.quota.lock();
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
    fn one_client_cannot_take_all_permits() {
        let quota = ClientQuota::new(9);
        let mut first: Vec<_> = (0..3).map(|_| quota.take_for(client(1))).collect();
        assert!(first.iter().all(Option::is_some));
        assert!(quota.take_for(client(1)).is_none(), "the client exceeded its share");
        let others: Vec<_> = [2, 2, 2, 3, 3].map(|last| quota.take_for(client(last))).into();
        assert!(others.iter().all(Option::is_some));
        first.pop();
        assert!(quota.take_for(client(1)).is_some(), "the dropped permit was not returned");
        let free: Vec<_> = (0..3).map(|_| quota.take_for(None)).collect();
        assert_eq!(
            free.iter().flatten().count(),
            2,
            "an uncounted client may take the remaining permits"
        );
        assert!(quota.take_for(client(4)).is_none());
        drop((first, others, free));
        assert_eq!(quota.lock().count, 0);
        assert!(quota.lock().by_client.is_empty());
    }
}
