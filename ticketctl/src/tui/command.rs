//! What can be typed after `:`, and what completes it. Pure: text in, [`Command`] or a sentence
//! about what is wrong with it out.

use super::{history::SCALES_S, state::View, theme::Palette};

/// A typed command.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Command {
    /// Propose a rate, as typed, with a reason.
    Rate(String, Option<String>),
    /// Propose a cap, as typed, with a reason.
    Cap(String, Option<String>),
    /// Propose to hold the line.
    Pause(Option<String>),
    /// Propose to let it go.
    Resume(Option<String>),
    /// Propose to take the last change back.
    Undo,
    /// Steering on or off.
    Arm(bool),
    /// Another view.
    View(View),
    /// Only rows with this text; empty: all.
    Filter(String),
    /// Other colours.
    Theme(Palette),
    /// Index of [`SCALES_S`].
    Scale(usize),
    /// Stand still, or go on.
    Freeze,
    /// One pane, full screen, or back.
    Expand,
    /// Replay: to this many seconds from the opening, or so many on or back.
    Seek(Seek),
    /// Replay: times real time.
    Speed(f64),
    /// All keys.
    Help,
    /// Leave.
    Quit,
    /// Panics: how the tests see that the terminal comes back. Not in releases.
    #[cfg(debug_assertions)]
    Panic,
}

/// Where in a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seek {
    /// Milliseconds after (before: negative) the opening.
    Opening(i64),
    /// Milliseconds on (back: negative).
    By(i64),
    /// Hundredths of the whole.
    Percent(u8),
}

/// A command word with what follows it and what it does.
struct Word {
    name: &'static str,
    takes: &'static str,
    says: &'static str,
}

const fn word(name: &'static str, takes: &'static str, says: &'static str) -> Word {
    Word { name, takes, says }
}

const WORDS: [Word; 17] = [
    word("rate", "N [WHY]", "people per second; +10% and -50 work too"),
    word("cap", "N [WHY]", "people inside at once"),
    word("pause", "[WHY]", "hold the line"),
    word("resume", "[WHY]", "let it go on"),
    word("undo", "", "take the last change back"),
    word("arm", "", "steering on"),
    word("disarm", "", "steering off: look only"),
    word("view", "NAME", "another view"),
    word("filter", "TEXT", "only rows with a text"),
    word("theme", "NAME", "other colours"),
    word("scale", "TIME", "time per column"),
    word("freeze", "", "stand still, or go on"),
    word("expand", "", "one pane, full screen"),
    word("seek", "WHEN", "replay: T+30, +10, -10 or 50%"),
    word("speed", "N", "replay: times real time"),
    word("help", "", "all keys"),
    word("quit", "", "leave"),
];

/// What `:rate ` may grow into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Completion {
    /// The whole line.
    pub(crate) line: String,
    /// What it would do.
    pub(crate) says: String,
}

/// Everything `text` may become, in the house's order.
pub(crate) fn completions(text: &str) -> Vec<Completion> {
    let text = text.trim_start();
    let Some((name, rest)) = text.split_once(' ') else {
        let known = WORDS.iter().filter(|w| w.name.starts_with(text));
        return known
            .map(|w| Completion {
                line: if w.takes.is_empty() {
                    w.name.to_owned()
                } else {
                    format!("{} ", w.name)
                },
                says: if w.takes.is_empty() {
                    w.says.to_owned()
                } else {
                    format!("{}: {}", w.takes, w.says)
                },
            })
            .collect();
    };
    let values: Vec<(String, &str)> = match name {
        "view" => View::ALL
            .into_iter()
            .map(|v| (v.name().to_owned(), v.title()))
            .collect(),
        "theme" => Palette::ALL
            .into_iter()
            .map(|p| (p.name().to_owned(), "colours"))
            .collect(),
        "scale" => SCALES_S
            .into_iter()
            .map(|s| (scale_name(s), "a column"))
            .collect(),
        "speed" => ["1", "4", "16", "64"]
            .map(|n| (n.to_owned(), "times real time"))
            .into(),
        "seek" => ["T+0", "+10", "-10", "50%"]
            .map(|n| (n.to_owned(), "of the recording"))
            .into(),
        _ => Vec::new(),
    };
    let rest = rest.trim_start();
    let fitting = values.into_iter().filter(|(value, _)| value.starts_with(rest));
    fitting
        .map(|(value, says)| Completion {
            line: format!("{name} {value}"),
            says: says.to_owned(),
        })
        .collect()
}

/// `5s`, `5min`.
pub(crate) fn scale_name(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        _ => format!("{}min", seconds / 60),
    }
}

/// What `text` asks for, or what is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Command, String> {
    let text = text.trim();
    let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim();
    let why = |text: &str| {
        let text = text.trim();
        let text = text.strip_prefix("because").unwrap_or(text).trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let (first, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let (first, after) = (first.to_owned(), why(after));
    match name {
        "rate" | "cap" if first.is_empty() => Err(format!("{name} needs a figure: {name} 1500")),
        "rate" => Ok(Command::Rate(first, after)),
        "cap" => Ok(Command::Cap(first, after)),
        "pause" => Ok(Command::Pause(why(rest))),
        "resume" => Ok(Command::Resume(why(rest))),
        "undo" => Ok(Command::Undo),
        "arm" => Ok(Command::Arm(true)),
        "disarm" => Ok(Command::Arm(false)),
        "view" => View::named(rest)
            .map(Command::View)
            .ok_or_else(|| one_of("view", rest, View::ALL.map(View::name))),
        "filter" => Ok(Command::Filter(rest.to_owned())),
        "theme" => Palette::named(rest)
            .map(Command::Theme)
            .ok_or_else(|| one_of("theme", rest, Palette::ALL.map(Palette::name))),
        "scale" => SCALES_S
            .iter()
            .position(|s| scale_name(*s) == rest)
            .map(Command::Scale)
            .ok_or_else(|| {
                let known = SCALES_S.map(scale_name);
                format!("\"{rest}\" is no scale: one of {}", known.join(", "))
            }),
        "freeze" => Ok(Command::Freeze),
        "expand" => Ok(Command::Expand),
        "seek" => seek(rest).map(Command::Seek),
        "speed" => match rest.parse::<f64>() {
            Ok(times) if (0.1..=1000.0).contains(&times) => Ok(Command::Speed(times)),
            _ => Err(format!("\"{rest}\" is no speed: 0.1 to 1000 times real time")),
        },
        "help" => Ok(Command::Help),
        "quit" | "q" => Ok(Command::Quit),
        #[cfg(debug_assertions)]
        "panic" => Ok(Command::Panic),
        "" => Err("nothing typed".to_owned()),
        _ => Err(unknown(name)),
    }
}

fn one_of<const N: usize>(what: &str, text: &str, known: [&str; N]) -> String {
    format!("\"{text}\" is no {what}: one of {}", known.join(", "))
}

fn unknown(name: &str) -> String {
    let near = WORDS
        .iter()
        .map(|w| (strsim::damerau_levenshtein(w.name, name), w.name))
        .min_by_key(|(distance, _)| *distance);
    match near {
        Some((distance, near)) if distance <= 2 => format!("there is no \"{name}\": did you mean {near}?"),
        _ => format!("there is no \"{name}\": Tab lists what there is"),
    }
}

fn seek(text: &str) -> Result<Seek, String> {
    let wrong = || format!("\"{text}\" is no instant: T+30 or T-5 (from the opening), +10, -10 or 50%");
    let ms = |text: &str| {
        let s: f64 = text.parse().ok()?;
        (s.abs() < 1e9).then(|| {
            #[expect(clippy::cast_possible_truncation, reason = "bounded just now")]
            let ms = (s * 1000.0) as i64;
            ms
        })
    };
    if let Some(percent) = text.strip_suffix('%') {
        let percent = percent.parse::<u8>().ok().filter(|percent| *percent <= 100);
        return percent.map(Seek::Percent).ok_or_else(wrong);
    }
    if let Some(from_opening) = text.strip_prefix('T') {
        return ms(from_opening).map(Seek::Opening).ok_or_else(wrong);
    }
    if text.starts_with(['+', '-']) {
        return ms(text).map(Seek::By).ok_or_else(wrong);
    }
    Err(wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        completions(text).into_iter().map(|c| c.line).collect()
    }

    #[test]
    fn words_and_their_values_are_completed() {
        assert_eq!(lines("r"), ["rate ", "resume "]);
        assert_eq!(lines("theme h"), ["theme high-contrast"]);
        assert_eq!(
            lines("scale "),
            ["scale 1s", "scale 5s", "scale 30s", "scale 5min"]
        );
        assert_eq!(lines("rate 12"), [] as [&str; 0]);
        assert_eq!(lines("").len(), WORDS.len());
    }

    #[test]
    fn whatever_is_completed_is_understood_once_it_is_whole() {
        for completion in completions("") {
            let whole = match completion.line.as_str() {
                "rate " | "cap " => format!("{}100", completion.line),
                line if line.trim_end() != line && completions(line).is_empty() => line.to_owned(),
                line => completions(line)
                    .first()
                    .map_or_else(|| line.to_owned(), |c| c.line.clone()),
            };
            assert!(parse(&whole).is_ok(), "{whole}: {:?}", parse(&whole));
        }
    }

    #[test]
    fn a_reason_follows_the_figure() {
        assert_eq!(
            parse("rate 1,500 because payments recovered"),
            Ok(Command::Rate(
                "1,500".to_owned(),
                Some("payments recovered".to_owned())
            ))
        );
        assert_eq!(
            parse("pause fire alarm"),
            Ok(Command::Pause(Some("fire alarm".to_owned())))
        );
        assert_eq!(parse(" resume "), Ok(Command::Resume(None)));
    }

    #[test]
    fn mistakes_are_named_with_what_is_near() {
        assert_eq!(
            parse("rat 5").unwrap_err(),
            "there is no \"rat\": did you mean rate?"
        );
        assert!(parse("rate").unwrap_err().contains("figure"));
        assert!(parse("theme purple").unwrap_err().contains("dark, light"));
        assert!(parse("scale 2s").unwrap_err().contains("1s, 5s"));
        assert!(parse("xyzzy").unwrap_err().contains("Tab"));
    }

    #[test]
    fn instants_of_a_recording() {
        assert_eq!(parse("seek T+1.5"), Ok(Command::Seek(Seek::Opening(1_500))));
        assert_eq!(parse("seek T-5"), Ok(Command::Seek(Seek::Opening(-5_000))));
        assert_eq!(parse("seek +10"), Ok(Command::Seek(Seek::By(10_000))));
        assert_eq!(parse("seek 50%"), Ok(Command::Seek(Seek::Percent(50))));
        for text in ["seek", "seek 101%", "seek x", "seek 10", "seek T", "seek +1e30"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
