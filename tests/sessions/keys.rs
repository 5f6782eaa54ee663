//! The master key.

use std::process::Command;

use clearance::Key;

const BASE64: &str = "base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const HEX: &str = "hex:000102030405060708090A0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const CHILD: &str = "CLEARANCE_TEST_CHILD";
const VARIABLE: &str = "CLEARANCE_TEST_KEY";

/// Reads the key in a process of its own: a running process must not change its environment.
fn read_key(value: Option<&str>) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "keys::in_a_child_the_key_is_read", "--nocapture"])
        .env(CHILD, "1")
        .env_remove(VARIABLE);
    if let Some(value) = value {
        child.env(VARIABLE, value);
    }
    String::from_utf8(child.output().unwrap().stdout).unwrap()
}

#[test]
fn in_a_child_the_key_is_read() {
    if std::env::var_os(CHILD).is_some() {
        match Key::from_env(VARIABLE) {
            Ok(key) => println!("read {}", key.expose_text()),
            Err(error) => {
                assert!(error.is_configuration());
                println!("refused {error}");
            }
        }
    }
}

#[test]
fn sl_02_each_encoding_of_the_environment_gives_the_same_key() {
    for value in [
        BASE64,
        HEX,
        &format!("{BASE64}\n"),
        &BASE64.replace('=', ""),
    ] {
        assert!(read_key(Some(value)).contains(&format!("read {BASE64}")));
    }
}

#[test]
fn sl_02_a_wrong_key_is_refused_without_repeating_it() {
    let short = "base64:c2hvcnQ=";
    for (value, advice) in [
        (None, "openssl rand -base64 32"),
        (Some(""), "has no prefix for its encoding"),
        (
            Some(&BASE64["base64:".len()..]),
            "has no prefix for its encoding",
        ),
        (Some("base64:*"), "is not valid base64"),
        (Some("hex:0"), "is not valid hex"),
        (Some("hex:zz"), "is not valid hex"),
        (Some(short), "shorter than 32 bytes"),
        (
            Some(&*format!("hex:{}", "0".repeat(64))),
            "one byte repeated",
        ),
    ] {
        let output = read_key(value);
        assert!(output.contains("refused"), "{value:?}: {output}");
        assert!(output.contains(advice), "{value:?}: {output}");
        assert!(!output.contains("c2hvcnQ"));
    }
}

/// There is no key to fall back on, and none is made up: the program does not come to its sessions.
#[test]
fn sr_14_a_program_without_a_key_does_not_start() {
    for value in [None, Some(""), Some("  ")] {
        let output = read_key(value);
        assert!(
            output.contains("refused configuration"),
            "{value:?}: {output}"
        );
        assert!(output.contains(VARIABLE), "{value:?}: {output}");
        assert!(!output.contains("read base64:"), "{value:?}: {output}");
    }
}

#[test]
fn sl_01_two_generated_keys_differ() {
    let one = Key::generate().unwrap().expose_text();
    assert_ne!(one, Key::generate().unwrap().expose_text());
    assert_eq!(one.len(), "base64:".len() + 44);
}

#[test]
fn rf_16_the_key_does_not_show_itself() {
    let key = Key::from_bytes(&(0..32).collect::<Vec<u8>>()).unwrap();
    assert_eq!(format!("{key:?} {key:#?}"), "Key(..) Key(..)");
}
