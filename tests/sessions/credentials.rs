//! What opens a session.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clearance::session::Strategy;

use crate::browser::Browser;
use crate::strategies::{Place, ada, everywhere};
use crate::support::{DAY, Rig, key};

/// What opens a session is made for that session and ends with it. Nothing that stays the same does.
#[tokio::test]
async fn asvs_7_2_2_each_session_has_a_token_of_its_own_that_ends() {
    for Place { strategy, rig, .. } in everywhere().await {
        let mut one = Browser::signed_in(&rig, &ada()).await;
        let other = Browser::signed_in(&rig, &ada()).await;
        assert_ne!(one.jar, other.jar, "{strategy:?}");
        let request = one.request(&rig);
        let old = one.clone();
        request.rotate_session().await.unwrap();
        one.finish(&request);
        assert_ne!(one.jar, old.jar, "{strategy:?}");
        assert_eq!(one.status(&rig).await, 200, "{strategy:?}");

        for constant in [key(0).expose_text(), "ada".to_owned(), "A".repeat(64)] {
            let mut forged = Browser::default();
            forged.jar.insert("__Host-session".to_owned(), constant);
            assert_eq!(forged.status(&rig).await, 401, "{strategy:?}");
        }
        rig.clock.advance(30 * DAY);
        for ended in [&one, &other] {
            assert_eq!(ended.status(&rig).await, 401, "{strategy:?}");
        }
    }
}

/// The id and the secret of an opaque cookie, as they are: 128 and 256 bits, and no bit of them stands
/// still.
#[tokio::test]
async fn asvs_7_2_3_every_bit_of_a_reference_token_is_random() {
    const BYTES: usize = 16 + 32;

    let rig = Rig::of(Strategy::Database);
    let mut tokens = HashSet::new();
    let (mut ones, mut zeros) = ([0_u8; BYTES], [0_u8; BYTES]);
    for _ in 0..1_000 {
        let browser = Browser::signed_in(&rig, &ada()).await;
        let token = URL_SAFE_NO_PAD
            .decode(&browser.jar["__Host-session"])
            .unwrap();
        assert_eq!(token.len(), BYTES);
        for (place, byte) in token.iter().enumerate() {
            ones[place] |= byte;
            zeros[place] |= !byte;
        }
        assert!(tokens.insert(token));
    }
    assert_eq!((ones, zeros), ([0xff; BYTES], [0xff; BYTES]));
}
