use std::fmt;
use std::str::FromStr;

/// Where a campaign is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Being written.
    Draft,
    /// Complete, and waits for its time.
    Scheduled,
    /// Going out.
    Sending,
    /// Stopped for now; nothing goes out.
    Paused,
    /// Everybody of the audience has been dealt with.
    Finished,
    /// Stopped for good.
    Cancelled,
}

/// What happens to a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Somebody sets the time.
    Schedule,
    /// Somebody takes the time back, to go on writing.
    Unschedule,
    /// Sending begins, at once or at the set time.
    Begin,
    /// The set time has come, but sending must not begin by itself (it is too late, or something is missing).
    Hold,
    /// Somebody stops it for now.
    Pause,
    /// Somebody lets it go on.
    Resume,
    /// The last recipient has been dealt with.
    Finish,
    /// Somebody stops it for good.
    Cancel,
}

impl State {
    /// Every state, in the order of a campaign's life.
    pub const ALL: [Self; 6] =
        [Self::Draft, Self::Scheduled, Self::Sending, Self::Paused, Self::Finished, Self::Cancelled];

    /// The stored name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Scheduled => "scheduled",
            Self::Sending => "sending",
            Self::Paused => "paused",
            Self::Finished => "finished",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Step {
    /// Every step.
    pub const ALL: [Self; 8] = [
        Self::Schedule,
        Self::Unschedule,
        Self::Begin,
        Self::Hold,
        Self::Pause,
        Self::Resume,
        Self::Finish,
        Self::Cancel,
    ];
}

/// The state that a step leads to; `None` if the step is not allowed in this state.
///
/// The only place where a campaign's state is decided.
pub const fn transition(state: State, step: Step) -> Option<State> {
    match (state, step) {
        (State::Draft, Step::Schedule) => Some(State::Scheduled),
        (State::Draft | State::Scheduled, Step::Begin) | (State::Paused, Step::Resume) => Some(State::Sending),
        (State::Scheduled, Step::Unschedule) => Some(State::Draft),
        (State::Scheduled, Step::Hold) | (State::Sending, Step::Pause) => Some(State::Paused),
        // The last replies may come in after somebody paused.
        (State::Sending | State::Paused, Step::Finish) => Some(State::Finished),
        (State::Scheduled | State::Sending | State::Paused, Step::Cancel) => Some(State::Cancelled),
        _ => None,
    }
}

/// The text names no state.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown campaign state; known are draft, scheduled, sending, paused, finished and cancelled")]
pub struct UnknownState;

impl FromStr for State {
    type Err = UnknownState;

    fn from_str(name: &str) -> Result<Self, UnknownState> {
        Self::ALL.into_iter().find(|state| state.name() == name).ok_or(UnknownState)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_exactly_this() {
        let allowed = [
            (State::Draft, Step::Schedule, State::Scheduled),
            (State::Draft, Step::Begin, State::Sending),
            (State::Scheduled, Step::Begin, State::Sending),
            (State::Scheduled, Step::Unschedule, State::Draft),
            (State::Scheduled, Step::Hold, State::Paused),
            (State::Scheduled, Step::Cancel, State::Cancelled),
            (State::Sending, Step::Pause, State::Paused),
            (State::Sending, Step::Finish, State::Finished),
            (State::Sending, Step::Cancel, State::Cancelled),
            (State::Paused, Step::Resume, State::Sending),
            (State::Paused, Step::Finish, State::Finished),
            (State::Paused, Step::Cancel, State::Cancelled),
        ];
        for state in State::ALL {
            for step in Step::ALL {
                let expected = allowed.iter().find(|(from, by, _)| (*from, *by) == (state, step)).map(|(_, _, to)| *to);
                assert_eq!(transition(state, step), expected, "{state:?} {step:?}");
            }
        }
    }

    #[test]
    fn names_round_trip() {
        for state in State::ALL {
            assert_eq!(state.name().parse(), Ok(state));
        }
        assert_eq!("sent".parse::<State>(), Err(UnknownState));
    }
}
