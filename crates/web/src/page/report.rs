//! What became of a campaign: figures, course of time, links, and the sum in which nobody is missing.

mod recipients;

use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Response};
use letterkeep_account::Action;
use letterkeep_audience::{list, tag};
use letterkeep_campaign::{Activity, Campaign, State, find_activity};
use letterkeep_delivery::report::{self, Bucket, Report};
use letterkeep_model::{Id, Timestamp, kind};
use letterkeep_store::Tx;
use maud::{Markup, html};

use super::campaigns::{fault, find, may, page_of, state_seal, table};
use super::send::reason_text;
use crate::access::Routes;
use crate::component::{
    Pager, Picture, Seal, Series, Stat, csrf_field, empty, line_chart, pager, seal_shape, share_bar, stats,
};
use crate::format;
use crate::text::t;
use crate::visit::{Desk, Visit};
use crate::{Page, Problem, Section, see_other};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/reports", Action::ViewReports, list_reports)
        .get("/campaigns/{id}/report", Action::ViewReports, show)
        .and(recipients::routes())
}

#[derive(serde::Deserialize)]
struct Wanted {
    before: Option<String>,
}

/// Campaigns that have gone out, for those who see figures but no drafts too.
async fn list_reports(Desk { visit, mut tx }: Desk, Query(wanted): Query<Wanted>) -> Result<Page, Problem> {
    let before: Option<Id<kind::Campaign>> =
        wanted.before.as_deref().map(str::parse).transpose().map_err(|_| Problem::NotFound)?;
    let mut found =
        letterkeep_campaign::page(&visit.ctx, &mut tx, Some(State::Finished), before, 26).await.map_err(fault)?;
    let more = found.len() > 25;
    found.truncate(25);
    let next = found.last().filter(|_| more).map(|last| format!("/reports?before={}", last.id));
    let line = Pager { text: String::new(), first: before.map(|_| "/reports".to_owned()), next };
    let body = html! {
        @if found.is_empty() {
            (empty(Picture::Letter, &t!(visit, "reports-empty"), &t!(visit, "reports-empty-text"), &html! {
                @if may(&visit, Action::ViewCampaigns) { a class="button button-primary" href="/campaigns" { (t!(visit, "reports-empty-link")) } }
            }))
        } @else {
            (table(&visit, &found))
            (pager(&visit, &line))
        }
    };
    Ok(Page::new(&visit.frame, &t!(visit, "reports-title"))
        .lead(&t!(visit, "reports-lead"))
        .section(Section::Reports)
        .body(&body))
}

async fn show(Desk { visit, mut tx }: Desk, Path(id): Path<String>) -> Result<Response, Problem> {
    let campaign = find(&visit, &mut tx, &id).await?;
    let Some(activity) = campaign.activity else {
        return Ok(see_other(&format!("/campaigns/{}/progress", campaign.id)));
    };
    let found = find_activity(&visit.ctx, &mut tx, &visit.keyring, activity).await.map_err(fault)?;
    let activity = found.ok_or(Problem::NotFound)?;
    let report = report::report(&visit.ctx, &mut tx, activity.id).await?;
    let audience = audience_name(&visit, &mut tx, &activity).await?;
    let body = html! {
        (figures(&visit, &report))
        div class="columns-wide" {
            (over_time(&visit, &report))
            (most_clicked(&visit, &report))
        }
        (accounted(&visit, &campaign, &report))
        p class="quiet small" { (t!(&visit, "report-consent")) }
    };
    let lead = lead(&visit, &campaign, &activity, &audience);
    let page = page_of(&visit, &campaign, &campaign.name).lead_markup(lead).actions(actions(&visit, &campaign));
    Ok(page.body(&body).into_response())
}

fn actions(visit: &Visit, campaign: &Campaign) -> Markup {
    html! {
        @if may(visit, Action::EditCampaigns) {
            form method="post" action={ "/campaigns/" (campaign.id) "/copy" } {
                (csrf_field(&visit.frame))
                button class="button" type="submit" { (t!(visit, "campaign-copy")) }
            }
        }
        @if matches!(campaign.state, State::Sending | State::Paused) {
            a class="button" href={ "/campaigns/" (campaign.id) "/progress" } { (t!(visit, "progress-title")) }
        }
    }
}

/// When it went out, to whom, from whom.
fn lead(visit: &Visit, campaign: &Campaign, activity: &Activity, audience: &str) -> Markup {
    let zone = &visit.frame.zone;
    html! {
        @if campaign.state != State::Finished { (state_seal(visit, campaign.state)) " " }
        (t!(visit, "report-sent")) " " (format::moment(visit, zone, activity.started_at))
        @if let Some(end) = activity.finished_at.filter(|end| format::date_time(visit, zone, *end) != format::date_time(visit, zone, activity.started_at)) {
            " " (t!(visit, "report-until")) " "
            @if format::date(visit, zone, end) == format::date(visit, zone, activity.started_at) {
                time { (format::clock(zone, end)) }
            } @else { (format::moment(visit, zone, end)) }
        }
        " · " (audience) " · " (activity.content.from_name)
    }
}

async fn audience_name(visit: &Visit, tx: &mut Tx, activity: &Activity) -> Result<String, Problem> {
    let audience = &activity.audience;
    if audience.everybody {
        return Ok(t!(visit, "report-everybody"));
    }
    let mut names = Vec::new();
    for id in audience.lists.iter().take(3) {
        names.extend(list::find(&visit.ctx, tx, *id).await?.map(|list| list.name));
    }
    for id in audience.tags.iter().take(3) {
        names.extend(tag::find(&visit.ctx, tx, *id).await?.map(|tag| tag.name));
    }
    let shown = names.len().min(3);
    let rest = audience.lists.len() + audience.tags.len() - shown;
    let names: Vec<_> = names.iter().take(3).map(|name| t!(visit, "report-quoted", name = name.as_str())).collect();
    let mut text = t!(visit, "report-to", names = names.join(", "));
    if rest > 0 {
        text.push_str(&t!(visit, "report-more", count = rest));
    }
    Ok(text)
}

fn figures(visit: &Visit, report: &Report) -> Markup {
    let share = |part: i64| format::share(visit, part, report.accepted);
    stats(&[
        Stat::new(format::whole(visit, report.accepted), t!(visit, "figure-accepted")).note(t!(
            visit,
            "figure-of",
            share = format::share(visit, report.accepted, report.recipients)
        )),
        Stat::new(share(report.opens.unique), t!(visit, "figure-opened")).note(t!(
            visit,
            "contacts-number",
            count = report.opens.unique
        )),
        Stat::new(share(report.clicks.unique), t!(visit, "figure-clicked")).note(t!(
            visit,
            "contacts-number",
            count = report.clicks.unique
        )),
        Stat::new(share(report.unsubscribes), t!(visit, "figure-unsubscribed")).note(t!(
            visit,
            "contacts-number",
            count = report.unsubscribes
        )),
        Stat::new(format::whole(visit, report.failed), t!(visit, "figure-undeliverable")).note(t!(
            visit,
            "figure-of",
            share = format::share(visit, report.failed, report.recipients)
        )),
    ])
}

fn over_time(visit: &Visit, report: &Report) -> Markup {
    let title = t!(visit, "report-chart");
    let engaged = |bucket: &&Bucket| bucket.opens + bucket.clicks > 0;
    // From the first sign of life on: the minutes of sending before it are no news.
    let first = report.series.iter().find(engaged).map(|bucket| bucket.start);
    let shown: Vec<&Bucket> = report
        .series
        .iter()
        .filter(|bucket| first.is_some_and(|first| bucket.start >= first - report.bucket_micros))
        .collect();
    let span = shown.last().map_or(0, |last| last.start) - shown.first().map_or(0, |first| first.start);
    let labels: Vec<String> = shown.iter().map(|bucket| label(visit, report, span, bucket.start)).collect();
    let series = [
        Series { name: t!(visit, "report-opens"), values: shown.iter().map(|bucket| bucket.opens).collect() },
        Series { name: t!(visit, "report-clicks"), values: shown.iter().map(|bucket| bucket.clicks).collect() },
    ];
    html! {
        section class="card" {
            h2 { (title) }
            @if shown.is_empty() { p class="quiet" { (t!(visit, "report-no-opens")) } }
            @else { (line_chart(visit, &title, &t!(visit, "report-time"), &labels, &series)) }
        }
    }
}

/// A day in microseconds.
const DAY: i64 = 86_400_000_000;

/// A time of the chart: the clock, with the weekday where the whole is longer than a day; the date where a piece is.
fn label(visit: &Visit, report: &Report, span: i64, start: i64) -> String {
    let at = Timestamp::from_micros(start);
    let zone = &visit.frame.zone;
    match report.bucket_micros {
        DAY.. => {
            let date = format::date(visit, zone, at);
            date.rsplit_once(' ').map_or(date.clone(), |(day, _)| day.to_owned())
        }
        _ if span > DAY => format!("{} {}", format::weekday(visit, zone, at), format::clock(zone, at)),
        60_000_000.. => format::clock(zone, at),
        _ => {
            let second = at.seconds().rem_euclid(60);
            format!("{}:{second:02}", format::clock(zone, at))
        }
    }
}

fn most_clicked(visit: &Visit, report: &Report) -> Markup {
    let mut links: Vec<_> = report.links.iter().collect();
    links.sort_by_key(|link| (std::cmp::Reverse(link.clicks.total), link.number));
    let most = links.first().map_or(0, |link| link.clicks.total);
    html! {
        section class="card" {
            h2 { (t!(visit, "report-links")) }
            @if links.is_empty() { p class="quiet" { (t!(visit, "report-no-links")) } } @else {
                table class="table table-plain link-table" {
                    caption class="visually-hidden" { (t!(visit, "report-links")) }
                    thead { tr { th scope="col" { (t!(visit, "report-link-name")) } th scope="col" class="number" { (t!(visit, "report-clicks")) } } }
                    tbody {
                        @for link in links.iter().take(10) {
                            tr {
                                th scope="row" title=(link.url) {
                                    div class="link-line" {
                                        (share_bar(link.clicks.total, most))
                                        span { @if link.label.is_empty() { (link.url) } @else { (link.label) } }
                                    }
                                }
                                td class="number" { (format::whole(visit, link.clicks.total)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Every recipient has an end or a place; the sum is the audience.
fn accounted(visit: &Visit, campaign: &Campaign, report: &Report) -> Markup {
    let open = report.planned + report.under_way + report.deferred;
    let whole = |number: i64| format::whole(visit, number);
    let reasons = |map: &std::collections::BTreeMap<String, i64>| {
        let words: Vec<_> =
            map.iter().map(|(reason, number)| format!("{}: {}", reason_text(visit, reason), whole(*number))).collect();
        if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) }
    };
    let title = if open == 0 {
        t!(visit, "accounted-all", count = report.recipients)
    } else {
        t!(visit, "accounted-open", count = report.recipients, open = open)
    };
    html! {
        div class="notice" {
            (seal_shape(if open == 0 && report.in_doubt == 0 { Seal::Good } else { Seal::Warn }))
            p {
                strong { (title) } " "
                (whole(report.accepted)) " " (t!(visit, "accounted-accepted")) " · "
                (whole(report.failed)) " " (t!(visit, "accounted-failed")) (reasons(&report.failed_by_reason)) " · "
                (whole(report.skipped)) " " (t!(visit, "accounted-skipped")) (reasons(&report.skipped_by_reason)) " · "
                (whole(report.in_doubt)) " " (t!(visit, "accounted-in-doubt"))
                @if open > 0 { " · " (whole(open)) " " (t!(visit, "accounted-waiting")) }
                ". "
                @if may(visit, Action::ViewReportRecipients) {
                    a href={ "/campaigns/" (campaign.id) "/recipients" } { (t!(visit, "accounted-link")) }
                }
            }
        }
    }
}
