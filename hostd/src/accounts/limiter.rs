//! How often somebody may try a password: a pure state machine over an injected clock.
//!
//! A try is charged before the password is looked at and refunded when it was right, so that many tries at the same moment
//! cannot slip past the limit. Both tables are bounded; when one is full, the entry that matters least makes room.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::time::Duration;

/// Wrong tries for one account name, whether or not it exists, before waiting starts.
pub const TRIES_PER_ACCOUNT: u32 = 5;
/// Wrong tries from one address before waiting starts; several people may share it.
pub const TRIES_PER_ADDRESS: u32 = 20;
/// First wait; it doubles with every further wrong try.
const FIRST_WAIT: Duration = Duration::from_secs(30);
/// Longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// An entry without tries for this long is forgotten; longer than [`LONGEST_WAIT`], else waiting it out would reset the count.
const FORGET_AFTER: Duration = Duration::from_secs(60 * 60);
/// Entries a table holds; an entry is well below 200 bytes.
const TABLE_SIZE: usize = 1024;

/// Counts tries.
#[derive(Debug, Default)]
pub struct Limiter {
    accounts: Table<[u8; 32]>,
    addresses: Table<IpAddr>,
}

/// Too many wrong tries; nothing was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many wrong tries")]
pub struct TooManyTries {
    /// How long to wait before the next try.
    pub retry_after: Duration,
}

impl Limiter {
    /// Charges a try to an account (`account` is a hash of the name, so that names have one size) and an address.
    ///
    /// # Errors
    ///
    /// When either has to wait; then nothing is charged.
    pub fn try_account(
        &mut self,
        account: [u8; 32],
        from: IpAddr,
        now: Duration,
    ) -> Result<(), TooManyTries> {
        let from = household(from);
        self.accounts.check(&account, TRIES_PER_ACCOUNT, now)?;
        self.addresses.check(&from, TRIES_PER_ADDRESS, now)?;
        self.accounts.charge(account, now);
        self.addresses.charge(from, now);
        Ok(())
    }

    /// Charges a try that names no account, such as a claim code.
    ///
    /// # Errors
    ///
    /// When the address has to wait; then nothing is charged.
    pub fn try_address(&mut self, from: IpAddr, now: Duration) -> Result<(), TooManyTries> {
        let from = household(from);
        self.addresses.check(&from, TRIES_PER_ADDRESS, now)?;
        self.addresses.charge(from, now);
        Ok(())
    }

    /// The charged try was right: the account starts afresh, the address gets this one try back.
    pub fn was_right(&mut self, account: Option<[u8; 32]>, from: IpAddr) {
        if let Some(account) = account {
            self.accounts.entries.remove(&account);
        }
        if let Some(entry) = self.addresses.entries.get_mut(&household(from)) {
            entry.wrong = entry.wrong.saturating_sub(1);
        }
    }
}

/// One IPv6 household may use any of the 2^64 addresses of its network, so those count as one.
fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    wrong: u32,
    last: Duration,
}

#[derive(Debug)]
struct Table<K> {
    entries: HashMap<K, Entry>,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self { entries: HashMap::new() }
    }
}

impl<K: Clone + Eq + Hash> Table<K> {
    fn check(&self, key: &K, free_tries: u32, now: Duration) -> Result<(), TooManyTries> {
        let Some(entry) = self.entries.get(key) else { return Ok(()) };
        let free_again = entry.last.saturating_add(wait_after(entry.wrong, free_tries));
        match free_again.checked_sub(now) {
            Some(retry_after) if !retry_after.is_zero() => Err(TooManyTries { retry_after }),
            _ => Ok(()),
        }
    }

    fn charge(&mut self, key: K, now: Duration) {
        if !self.entries.contains_key(&key) && self.entries.len() >= TABLE_SIZE {
            self.make_room(now);
        }
        let entry = self.entries.entry(key).or_insert(Entry { wrong: 0, last: now });
        if now.saturating_sub(entry.last) >= FORGET_AFTER {
            entry.wrong = 0;
        }
        entry.wrong = entry.wrong.saturating_add(1);
        entry.last = now;
    }

    fn make_room(&mut self, now: Duration) {
        self.entries.retain(|_, entry| now.saturating_sub(entry.last) < FORGET_AFTER);
        if self.entries.len() < TABLE_SIZE {
            return;
        }
        let least = self.entries.iter().min_by_key(|(_, entry)| (entry.wrong, entry.last));
        if let Some(key) = least.map(|(key, _)| key.clone()) {
            self.entries.remove(&key);
        }
    }
}

fn wait_after(wrong: u32, free_tries: u32) -> Duration {
    let Some(doublings) = wrong.checked_sub(free_tries) else { return Duration::ZERO };
    FIRST_WAIT.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const ANNA: [u8; 32] = [1; 32];

    fn address(last: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(192, 168, 1, last))
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn the_wait_doubles_up_to_a_quarter_of_an_hour() {
        let waits: Vec<u64> = (4..13).map(|wrong| wait_after(wrong, 5).as_secs()).collect();
        assert_eq!(waits, [0, 30, 60, 120, 240, 480, 900, 900, 900]);
    }

    #[test]
    fn an_account_waits_after_five_wrong_tries_from_anywhere() {
        let mut limiter = Limiter::default();
        for from in 0..5 {
            limiter.try_account(ANNA, address(from), seconds(100)).unwrap();
        }
        let refused = limiter.try_account(ANNA, address(9), seconds(101)).unwrap_err();
        assert_eq!(refused.retry_after, seconds(29));
        limiter.try_account([2; 32], address(9), seconds(101)).unwrap();
        limiter.try_account(ANNA, address(9), seconds(130)).unwrap();
        let refused = limiter.try_account(ANNA, address(9), seconds(130)).unwrap_err();
        assert_eq!(refused.retry_after, seconds(60));
    }

    #[test]
    fn a_refused_try_does_not_prolong_the_wait() {
        let mut limiter = Limiter::default();
        for _ in 0..5 {
            limiter.try_account(ANNA, address(1), seconds(0)).unwrap();
        }
        for _ in 0..50 {
            assert!(limiter.try_account(ANNA, address(1), seconds(29)).is_err());
        }
        limiter.try_account(ANNA, address(1), seconds(30)).unwrap();
    }

    #[test]
    fn an_address_waits_after_twenty_wrong_tries_at_many_names() {
        let mut limiter = Limiter::default();
        for name in 0..20 {
            limiter.try_account([name; 32], address(1), seconds(0)).unwrap();
        }
        assert!(limiter.try_account([99; 32], address(1), seconds(1)).is_err());
        assert!(limiter.try_address(address(1), seconds(1)).is_err());
        limiter.try_account([99; 32], address(2), seconds(1)).unwrap();
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address_and_mapped_ipv4_as_ipv4() {
        let mut limiter = Limiter::default();
        for host in 0..20_u16 {
            let from = IpAddr::V6(Ipv6Addr::new(0xfd00, 1, 2, 3, 9, 9, 9, host));
            limiter.try_address(from, seconds(0)).unwrap();
        }
        let same = IpAddr::V6(Ipv6Addr::new(0xfd00, 1, 2, 3, 0, 0, 0, 77));
        assert!(limiter.try_address(same, seconds(0)).is_err());
        let other = IpAddr::V6(Ipv6Addr::new(0xfd00, 1, 2, 4, 0, 0, 0, 77));
        limiter.try_address(other, seconds(0)).unwrap();
        let mapped = IpAddr::V6(Ipv4Addr::new(192, 168, 1, 7).to_ipv6_mapped());
        assert_eq!(household(mapped), address(7));
    }

    #[test]
    fn a_right_password_clears_the_account_and_returns_the_try() {
        let mut limiter = Limiter::default();
        for _ in 0..4 {
            limiter.try_account(ANNA, address(1), seconds(0)).unwrap();
        }
        limiter.try_account(ANNA, address(1), seconds(0)).unwrap();
        limiter.was_right(Some(ANNA), address(1));
        for _ in 0..5 {
            limiter.try_account(ANNA, address(1), seconds(0)).unwrap();
        }
        assert_eq!(limiter.addresses.entries[&address(1)].wrong, 9);
    }

    #[test]
    fn a_full_table_forgets_the_least_and_keeps_who_waits() {
        let mut limiter = Limiter::default();
        for _ in 0..5 {
            limiter.try_account(ANNA, address(1), seconds(0)).unwrap();
        }
        for name in 0..3000_u32 {
            let mut account = [7; 32];
            account[..4].copy_from_slice(&name.to_le_bytes());
            let from = IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + name));
            limiter.try_account(account, from, seconds(1)).unwrap();
        }
        assert!(limiter.accounts.entries.len() <= TABLE_SIZE);
        assert!(limiter.addresses.entries.len() <= TABLE_SIZE);
        assert!(limiter.try_account(ANNA, address(200), seconds(2)).is_err());
    }

    #[test]
    fn an_hour_without_tries_is_forgotten() {
        let mut limiter = Limiter::default();
        for _ in 0..5 {
            limiter.try_account(ANNA, address(1), seconds(0)).unwrap();
        }
        for _ in 0..5 {
            limiter.try_account(ANNA, address(1), seconds(3600)).unwrap();
        }
        assert!(limiter.try_account(ANNA, address(1), seconds(3600)).is_err());
    }
}
