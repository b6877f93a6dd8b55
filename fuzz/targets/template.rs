//! A template that somebody wrote.
#![no_main]

// The product catches panics of the MJML parser, which is not ours. libFuzzer's own hook would abort before that; a panic
// that nobody catches still ends the run.
libfuzzer_sys::fuzz_target!(
    init: std::panic::set_hook(Box::new(|panic| eprintln!("{panic}"))),
    |bytes: &[u8]| letterkeep_fuzz::template::check(bytes)
);
