//! Escaping of text from outside for log events.

use std::borrow::Cow;

/// Returns whether a character shows only by its effect on the text around it: control characters, line and
/// paragraph separators, and Unicode format characters (`Cf`). Those that change the direction of writing
/// can make a name or a key read as another one ([UAX #9](https://www.unicode.org/reports/tr9/)).
pub(crate) fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}'
                | '\u{600}'..='\u{605}'
                | '\u{61c}'
                | '\u{6dd}'
                | '\u{70f}'
                | '\u{890}'..='\u{891}'
                | '\u{8e2}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{110bd}'
                | '\u{110cd}'
                | '\u{13430}'..='\u{1343f}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Escapes every [hidden](is_hidden) character, as in `\u{202e}`.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_hidden(letter) {
            escaped.extend(letter.escape_default());
        } else {
            escaped.push(letter);
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sd_62_what_turns_the_direction_is_written_out() {
        let directions = ('\u{202a}'..='\u{202e}')
            .chain('\u{2066}'..='\u{2069}')
            .chain(['\u{200e}', '\u{200f}', '\u{61c}']);
        let others = [
            '\0',
            '\n',
            '\u{7f}',
            '\u{9b}',
            '\u{ad}',
            '\u{200b}',
            '\u{2028}',
            '\u{feff}',
            '\u{e0041}',
        ];
        for letter in directions.chain(others) {
            let shown = escaped(&format!("a{letter}b")).into_owned();
            assert!(!shown.contains(is_hidden), "{shown:?}");
            assert_eq!(shown, format!("a{}b", letter.escape_default()));
        }
        for text in [
            "",
            "a b",
            "\u{e9}e\u{301}",
            "\u{5d0}\u{5d1}",
            "\u{1f600}",
            "\\u{202e}",
        ] {
            assert!(matches!(escaped(text), Cow::Borrowed(same) if same == text));
        }
    }
}
