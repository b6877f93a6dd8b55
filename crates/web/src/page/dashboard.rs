//! The first page after the log-in: the next step, the latest campaigns, how many contacts there are.

use letterkeep_account::{Action, organisation};
use letterkeep_audience::contact;
use letterkeep_campaign::{CampaignSummary, State};
use letterkeep_delivery::report::{self, Readers, Totals};
use letterkeep_delivery::{domain, relay};
use letterkeep_store::Tx;
use maud::{Markup, html};

use super::campaigns::{fault, home, may, state_seal};
use crate::access::Routes;
use crate::component::{Seal, Stat, cell, number_cell, seal_shape, stats, table_card};
use crate::format;
use crate::text::{named, t};
use crate::visit::{Desk, Visit};
use crate::{Page, Problem, Section};

pub(crate) fn routes() -> Routes {
    Routes::new().get("/dashboard", Action::ViewDashboard, show)
}

/// A step on the way to the first campaign.
struct Step {
    name: &'static str,
    href: &'static str,
    action: Action,
    done: bool,
}

async fn show(Desk { visit, mut tx }: Desk) -> Result<Page, Problem> {
    let contacts = contact::count(&visit.ctx, &mut tx).await?;
    let campaigns = letterkeep_campaign::page(&visit.ctx, &mut tx, None, None, 5).await.map_err(fault)?;
    let counts = letterkeep_campaign::count(&visit.ctx, &mut tx).await.map_err(fault)?;
    let number = |wanted: &[State]| -> i64 {
        counts.iter().filter(|(state, _)| wanted.contains(state)).map(|(_, number)| number).sum()
    };
    let started = number(&[State::Scheduled, State::Sending, State::Paused, State::Finished, State::Cancelled]);
    let steps = steps(&visit, &mut tx, contacts.total(), started).await?;
    let mut recent = Vec::new();
    for campaign in campaigns {
        let figures = match campaign.activity {
            Some(activity) => Some((
                report::totals(&visit.ctx, &mut tx, activity).await?,
                report::readers(&visit.ctx, &mut tx, activity).await?,
            )),
            None => None,
        };
        recent.push((campaign, figures));
    }
    let link = |stat: Stat, action: Action, href: &str| if may(&visit, action) { stat.href(href) } else { stat };
    let body = html! {
        (checklist(&visit, &steps))
        (stats(&[
            link(Stat::new(format::whole(&visit, contacts.total()), t!(visit, "nav-contacts")), Action::ViewContacts, "/contacts"),
            Stat::new(format::whole(&visit, contacts.may_send()), t!(visit, "dashboard-may-send")),
            link(Stat::new(format::whole(&visit, number(&[State::Draft])), t!(visit, "dashboard-drafts")), Action::ViewCampaigns, "/campaigns?state=draft"),
            link(Stat::new(format::whole(&visit, number(&[State::Finished])), t!(visit, "dashboard-sent")), Action::ViewReports, "/reports"),
        ]))
        @if !recent.is_empty() {
            section class="stack-tight" {
                h2 { (t!(visit, "dashboard-recent")) }
                (recent_table(&visit, &recent))
            }
        }
    };
    let name = visit.frame.person.as_ref().map_or_else(String::new, |person| person.organisation.clone());
    let page = Page::new(&visit.frame, &t!(visit, "nav-dashboard")).lead(&name).section(Section::Dashboard);
    let ready = steps.iter().all(|step| step.done || step.name == "campaign");
    let page = if ready && may(&visit, Action::EditCampaigns) {
        page.actions(html! { a class="button button-primary" href="/campaigns/new" { (t!(visit, "campaign-new")) } })
    } else {
        page
    };
    Ok(page.body(&body))
}

async fn steps(visit: &Visit, tx: &mut Tx, contacts: i64, started: i64) -> Result<[Step; 5], Problem> {
    let organisation = organisation::find(&visit.ctx, tx).await?;
    let address = organisation.is_some_and(|organisation| !organisation.postal_address.trim().is_empty());
    let domain = !domain::list(&visit.ctx, tx).await?.is_empty();
    let relay = relay::find(&visit.ctx, tx).await?.is_some();
    let step = |name, href, action, done| Step { name, href, action, done };
    Ok([
        step("address", "/organisation", Action::ManageAccount, address),
        step("domain", "/domains", Action::ManageSendingDomains, domain),
        step("relay", "/relay", Action::ManageRelay, relay),
        step("contacts", "/imports", Action::ImportContacts, contacts > 0),
        step("campaign", "/campaigns/new", Action::EditCampaigns, started > 0),
    ])
}

/// What is still to be done before the first campaign goes out; the first of it is the page's one next step.
fn checklist(visit: &Visit, steps: &[Step]) -> Markup {
    let next = steps.iter().position(|step| !step.done);
    html! {
        @if let Some(next) = next {
            section class="card" {
                h2 { (t!(visit, "steps-title")) }
                ol class="step-list" {
                    @for (place, step) in steps.iter().enumerate() {
                        li class=[(place == next).then_some("next")] {
                            (seal_shape(if step.done { Seal::Good } else { Seal::Off }))
                            div {
                                p {
                                    strong { (named(visit, "step", step.name)) }
                                    @if step.done { span class="visually-hidden" { " (" (t!(visit, "step-done")) ")" } }
                                }
                                @if !step.done { p class="quiet small" { (named(visit, "step-text", step.name)) } }
                            }
                            @if !step.done {
                                @if may(visit, step.action) {
                                    a class=(if place == next { "button button-primary" } else { "button" }) href=(step.href) { (named(visit, "step-button", step.name)) }
                                } @else { span class="quiet small" { (t!(visit, "step-others")) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn recent_table(visit: &Visit, recent: &[(CampaignSummary, Option<(Totals, Readers)>)]) -> Markup {
    let (name, state, accepted, opened, clicked) = (
        t!(visit, "campaign-name"),
        t!(visit, "state"),
        t!(visit, "figure-accepted"),
        t!(visit, "figure-opened"),
        t!(visit, "figure-clicked"),
    );
    let head = html! {
        th scope="col" { (name) } th scope="col" { (state) } th scope="col" class="number" { (accepted) }
        th scope="col" class="number" { (opened) } th scope="col" class="number" { (clicked) }
    };
    let rows = html! {
        @for (campaign, figures) in recent {
            tr {
                th scope="row" {
                    @if campaign.state == State::Draft && !may(visit, Action::ViewCampaigns) { (campaign.name) }
                    @else { a href=(home(visit, campaign.id, campaign.state)) { (campaign.name) } }
                }
                (cell(&state, &state_seal(visit, campaign.state)))
                @match figures {
                    Some((totals, readers)) => {
                        (number_cell(&accepted, &format::whole(visit, totals.accepted)))
                        (number_cell(&opened, &format::share(visit, readers.opened, totals.accepted)))
                        (number_cell(&clicked, &format::share(visit, readers.clicked, totals.accepted)))
                    }
                    None => { (number_cell(&accepted, "–")) (number_cell(&opened, "–")) (number_cell(&clicked, "–")) }
                }
            }
        }
    };
    table_card(&t!(visit, "dashboard-recent"), &head, &rows)
}
