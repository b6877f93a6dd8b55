use maud::{Markup, html};

use super::mark;
use crate::component::csrf_field;
use crate::frame::{Frame, Scheme, Shell};
use crate::text::t;
use letterkeep_account::{Action, allows};
use letterkeep_model::Locale;

/// The entries of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// What is going on.
    Dashboard,
    /// Contacts and their imports.
    Contacts,
    /// Imports of contacts.
    Imports,
    /// Lists.
    Lists,
    /// Tags.
    Tags,
    /// Custom fields.
    Fields,
    /// Addresses that are never written to.
    Suppressions,
    /// Campaigns and their reports.
    Campaigns,
    /// Figures of campaigns that have gone out.
    Reports,
    /// Sending domains.
    Domains,
    /// The mail server that takes campaigns.
    Relay,
    /// Users and roles.
    Users,
    /// The organisation's settings.
    Organisation,
    /// The audit log.
    Audit,
    /// One's own sessions and devices.
    Sessions,
    /// One's own profile.
    Profile,
}

struct Entry {
    section: Section,
    href: &'static str,
    key: &'static str,
    action: Action,
}

const fn entry(section: Section, href: &'static str, key: &'static str, action: Action) -> Entry {
    Entry { section, href, key, action }
}

const MAIN: &[Entry] = &[
    entry(Section::Dashboard, "/dashboard", "nav-dashboard", Action::ViewDashboard),
    entry(Section::Campaigns, "/campaigns", "nav-campaigns", Action::ViewCampaigns),
    entry(Section::Reports, "/reports", "nav-reports", Action::ViewReports),
];

const ADDRESS_BOOK: &[Entry] = &[
    entry(Section::Contacts, "/contacts", "nav-contacts", Action::ViewContacts),
    entry(Section::Lists, "/lists", "nav-lists", Action::ViewLists),
    entry(Section::Tags, "/tags", "nav-tags", Action::ViewLists),
    entry(Section::Fields, "/fields", "nav-fields", Action::ManageFields),
    entry(Section::Imports, "/imports", "nav-imports", Action::ImportContacts),
    entry(Section::Suppressions, "/suppressions", "nav-suppressions", Action::ManageSuppressions),
];

const ACCOUNT: &[Entry] = &[
    entry(Section::Domains, "/domains", "nav-domains", Action::ManageSendingDomains),
    entry(Section::Relay, "/relay", "nav-relay", Action::ManageRelay),
    entry(Section::Users, "/users", "nav-users", Action::ManageUsers),
    entry(Section::Sessions, "/sessions", "nav-sessions", Action::ManageOwnLogIn),
    entry(Section::Audit, "/audit", "nav-audit", Action::ViewAudit),
    entry(Section::Organisation, "/organisation", "nav-organisation", Action::ManageAccount),
];

/// The groups and their titles; the first needs none.
const GROUPS: [(&str, &[Entry]); 3] = [("", MAIN), ("nav-address-book", ADDRESS_BOOK), ("nav-account", ACCOUNT)];

/// What a thumb reaches on a phone.
const FIRST: [Section; 3] = [Section::Dashboard, Section::Contacts, Section::Campaigns];

fn visible<'a>(frame: &Frame, entries: &'a [Entry]) -> Vec<&'a Entry> {
    let role = frame.person.as_ref().map(|person| person.role);
    entries.iter().filter(|entry| role.is_some_and(|role| allows(role, entry.action))).collect()
}

/// Every group with what the reader may see of it; `without` leaves out what stands elsewhere already.
fn groups(frame: &Frame, current: Option<Section>, without: &[Section]) -> Markup {
    html! {
        @for (title, entries) in GROUPS {
            @let entries: Vec<_> = visible(frame, entries).into_iter().filter(|entry| !without.contains(&entry.section)).collect();
            @if !entries.is_empty() {
                @if !title.is_empty() { p class="nav-title" { (t!(frame, title)) } }
                ul class="nav-list" {
                    @for entry in entries {
                        li { a href=(entry.href) aria-current=[(Some(entry.section) == current).then_some("page")] { (t!(frame, entry.key)) } }
                    }
                }
            }
        }
    }
}

fn person(frame: &Frame, current: Option<Section>) -> Markup {
    html! {
        @if let Some(person) = &frame.person {
            a class="whoami" href="/profile" aria-current=[(current == Some(Section::Profile)).then_some("page")] {
                strong { (person.name) }
                span { (person.organisation) }
            }
            form method="post" action="/log-out" {
                (csrf_field(frame))
                button class="button button-plain" type="submit" { (t!(frame, "log-out")) }
            }
        }
    }
}

/// The navigation on the left of a wide screen.
pub(super) fn sidebar(frame: &Frame, current: Option<Section>) -> Markup {
    html! {
        div class="sidebar" {
            a class="brand" href="/dashboard" { (mark()) "Letterkeep" }
            nav aria-label=(t!(frame, "nav-name")) {
                (groups(frame, current, &[]))
            }
            div class="sidebar-foot" { (person(frame, current)) }
        }
    }
}

/// The same at the bottom of a phone: the first three, and the rest in a sheet.
pub(super) fn bottom_bar(frame: &Frame, current: Option<Section>) -> Markup {
    let all: Vec<_> = GROUPS.iter().flat_map(|(_, entries)| visible(frame, entries)).collect();
    let first: Vec<_> = FIRST.iter().filter_map(|section| all.iter().find(|entry| entry.section == *section)).collect();
    let elsewhere = current.is_some_and(|current| !first.iter().any(|entry| entry.section == current));
    html! {
        nav class="bottom-bar" aria-label=(t!(frame, "nav-name")) {
            ul class="bottom-list" {
                @for entry in first {
                    li {
                        a href=(entry.href) aria-current=[(Some(entry.section) == current).then_some("page")] {
                            (icon(entry.section)) (t!(frame, entry.key))
                        }
                    }
                }
                li {
                    details class="sheet" {
                        summary aria-current=[elsewhere.then_some("true")] {
                            svg viewBox="0 0 24 24" aria-hidden="true" { path d="M4 7h16M4 12h16M4 17h16" {} }
                            (t!(frame, "nav-more"))
                        }
                        div class="bottom-sheet" {
                            (groups(frame, current, &FIRST))
                            div class="sidebar-foot" { (person(frame, current)) }
                        }
                    }
                }
            }
        }
    }
}

fn icon(section: Section) -> Markup {
    let path = match section {
        Section::Dashboard => "M4 20V10l8-6 8 6v10h-6v-6h-4v6z",
        Section::Contacts => "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 20c0-4 3.500-6 8-6s8 2 8 6z",
        Section::Campaigns => "M3 6h18v13H3zM3 7l9 7 9-7",
        _ => "M5 6h14M5 12h14M5 18h14",
    };
    html! { svg viewBox="0 0 24 24" aria-hidden="true" { path d=(path) {} } }
}

/// The bar above public pages.
pub(super) fn public_bar(frame: &Frame, known: bool) -> Markup {
    let path = frame.path.split('?').next().unwrap_or_default();
    // Halfway in, the only way is on.
    let entering = known || path.starts_with("/log-in") || path.starts_with("/sign-up/");
    html! {
        header class="public-bar" {
            div {
                a class="brand" href="/" { (mark()) "Letterkeep" }
                nav aria-label=(t!(frame, "nav-name")) {
                    @if known { a class="button" href="/dashboard" { (t!(frame, "nav-dashboard")) } }
                    @if !entering { a class="button" href="/log-in" { (t!(frame, "log-in")) } }
                    @if frame.sign_up_open && !entering && path != "/sign-up" && path != "/" { a class="button button-plain" href="/sign-up" { (t!(frame, "sign-up")) } }
                }
            }
        }
    }
}

/// The bar above the operator's pages; the way out for whoever is inside.
pub(super) fn operator_bar(frame: &Frame, inside: bool) -> Markup {
    html! {
        header class="public-bar" {
            div {
                a class="brand" href=(crate::ops::HOME) { (mark()) "Letterkeep" }
                span class="quiet" { (t!(frame, "ops-bar")) }
                @if inside {
                    form class="push" method="post" action="/ops/leave" {
                        (csrf_field(frame))
                        button class="button" type="submit" { (t!(frame, "log-out")) }
                    }
                }
            }
        }
    }
}

/// The line below every page: language, colours, help.
pub(super) fn footer(frame: &Frame) -> Markup {
    let preferences = match (frame.shell, &frame.person) {
        (Shell::Operator, _) => "/ops/preferences",
        (Shell::Service, Some(_)) => "/profile/preferences",
        (Shell::Service, None) => "/preferences",
    };
    html! {
        footer class="site-footer" {
            @if !frame.csrf.is_empty() {
                form method="post" action=(preferences) aria-label=(t!(frame, "language")) {
                    (csrf_field(frame))
                    input type="hidden" name="back" value=(frame.path);
                    @for locale in Locale::ALL {
                        button class="choice" name="locale" value=(locale.tag()) lang=(locale.tag())
                            aria-pressed=(if locale == frame.locale { "true" } else { "false" }) {
                            (match locale { Locale::De => "Deutsch", Locale::En => "English" })
                        }
                    }
                }
                form method="post" action=(preferences) aria-label=(t!(frame, "scheme")) {
                    (csrf_field(frame))
                    input type="hidden" name="back" value=(frame.path);
                    @for scheme in Scheme::ALL {
                        button class="choice" name="scheme" value=(scheme.name())
                            aria-pressed=(if scheme == frame.scheme { "true" } else { "false" }) {
                            (match scheme {
                                Scheme::Auto => t!(frame, "scheme-auto"),
                                Scheme::Light => t!(frame, "scheme-light"),
                                Scheme::Dark => t!(frame, "scheme-dark"),
                            })
                        }
                    }
                }
            }
            @if frame.shell == Shell::Service { a class="push" href="/help" { (t!(frame, "help")) } }
        }
    }
}
