use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use letterkeep_model::{Ctx, EmailAddress, Id, Locale, Role, kind};
use letterkeep_store::{audit, queue};
use letterkeep_testkit::{TestHouse, for_each_database};
use letterkeep_vault::Keyring;

use super::*;
use crate::{ContentInput, Format};

struct Bench<'a> {
    house: &'a TestHouse,
    ctx: Ctx,
    keyring: Arc<Keyring>,
    known: BTreeSet<String>,
}

impl<'a> Bench<'a> {
    async fn new(house: &'a TestHouse) -> Self {
        let (account, keyring) = house.account().await;
        let ctx = house.person(account, Role::Manager);
        Self { house, ctx, keyring, known: ["first_name".to_owned()].into() }
    }

    async fn tx(&self) -> Tx {
        self.house.store.db.write().await.unwrap()
    }

    async fn draft(&self) -> Campaign {
        let mut tx = self.tx().await;
        let made = create(&self.ctx, &mut tx, &self.keyring, " Spring ", &content("Hi"), Audience::everybody()).await;
        tx.commit().await.unwrap();
        made.unwrap()
    }

    async fn load(&self, id: Id<kind::Campaign>) -> Campaign {
        let mut tx = self.house.store.db.read().await.unwrap();
        find(&self.ctx, &mut tx, &self.keyring, id).await.unwrap().unwrap()
    }

    async fn examine(&self, id: Id<kind::Campaign>) -> Examined {
        examine(&self.load(id).await, self.known.clone()).await
    }

    async fn launch(&self, id: Id<kind::Campaign>, when: When) -> Result<Launched, CampaignError> {
        let examined = self.examine(id).await;
        let mut tx = self.tx().await;
        let outcome = launch(&self.ctx, &mut tx, &self.keyring, &examined, when).await;
        if outcome.is_ok() {
            tx.commit().await.unwrap();
        }
        outcome
    }

    async fn begin(&self, id: Id<kind::Campaign>) -> Scheduled {
        let examined = self.examine(id).await;
        let mut tx = self.tx().await;
        let outcome = begin(&self.ctx, &mut tx, &self.keyring, &examined).await.unwrap();
        tx.commit().await.unwrap();
        outcome
    }

    async fn jobs(&self, kind: &str) -> i64 {
        let mut tx = self.tx().await;
        queue::count(&mut tx, self.ctx.account, kind).await.unwrap()
    }
}

fn content(body: &str) -> Content {
    Content::parse(ContentInput {
        subject: "Hello".into(),
        preheader: String::new(),
        from_name: "Bakery".into(),
        from_address: EmailAddress::parse("news@example.org").unwrap(),
        reply_to: None,
        postal_address: "Markt 1".into(),
        format: Format::Html,
        source: format!("<p>{body}</p><a href=\"https://example.org/\">Shop</a>"),
        text: None,
        locale: Locale::En,
    })
    .unwrap()
}

#[tokio::test]
async fn a_draft_is_written_and_nobody_overwrites_anybody() {
    for_each_database(async |house| {
        let bench = Bench::new(house).await;
        let draft = bench.draft().await;
        assert_eq!((draft.name.as_str(), draft.state, draft.revision), ("Spring", State::Draft, 1));
        let (ctx, keyring) = (&bench.ctx, &bench.keyring);

        let mut tx = bench.tx().await;
        let audience = Audience { lists: vec![ctx.new_id()], ..Audience::default() };
        let changed = update(ctx, &mut tx, keyring, draft.id, 1, &content("Two"), audience.clone()).await.unwrap();
        assert_eq!((changed.revision, &changed.audience), (2, &audience));
        let stale = update(ctx, &mut tx, keyring, draft.id, 1, &content("Three"), audience).await;
        assert!(matches!(stale, Err(CampaignError::Changed(2))));
        rename(ctx, &mut tx, keyring, draft.id, 2, "Summer").await.unwrap();
        let bad = rename(ctx, &mut tx, keyring, draft.id, 3, "a\nb").await;
        assert!(matches!(bad, Err(CampaignError::Name)));
        let copy = duplicate(ctx, &mut tx, keyring, draft.id, "Copy").await.unwrap();
        tx.commit().await.unwrap();

        let loaded = bench.load(draft.id).await;
        assert_eq!((loaded.name.as_str(), loaded.revision), ("Summer", 3));
        assert!(loaded.content.source.contains("Two") && loaded.content == copy.content);

        let mut tx = bench.tx().await;
        let names: Vec<_> = page(ctx, &mut tx, None, None, 10).await.unwrap().into_iter().map(|c| c.name).collect();
        assert_eq!(names.len(), 2);
        let first = page(ctx, &mut tx, Some(State::Draft), None, 1).await.unwrap();
        let second = page(ctx, &mut tx, Some(State::Draft), Some(first[0].id), 1).await.unwrap();
        assert_ne!(first[0].id, second[0].id);
        assert!(page(ctx, &mut tx, Some(State::Finished), None, 10).await.unwrap().is_empty());
        assert_eq!(count(ctx, &mut tx).await.unwrap()[0], (State::Draft, 2));

        delete(ctx, &mut tx, copy.id, 1).await.unwrap();
        assert!(find(ctx, &mut tx, keyring, copy.id).await.unwrap().is_none());
        // Another account sees nothing of it.
        let (other, other_ring) = house.account().await;
        let stranger = house.person(other, Role::Owner);
        assert!(find(&stranger, &mut tx, &other_ring, draft.id).await.unwrap().is_none());
        assert!(matches!(cancel(&stranger, &mut tx, draft.id).await, Err(CampaignError::Missing)));
    })
    .await;
}

#[tokio::test]
async fn launching_freezes_content_and_links_with_the_job() {
    for_each_database(async |house| {
        let bench = Bench::new(house).await;
        let draft = bench.draft().await;
        let Ok(Launched::Begun(activity)) = bench.launch(draft.id, When::Now).await else { panic!("it begins") };
        assert_eq!(bench.jobs("delivery.run").await, 1);
        let mut tx = bench.tx().await;
        let frozen = find_activity(&bench.ctx, &mut tx, &bench.keyring, activity).await.unwrap().unwrap();
        assert!(
            frozen.state == ActivityState::Freezing && frozen.content == draft.content && frozen.campaign == draft.id
        );
        let links = letterkeep_store::campaign::links(&mut tx, bench.ctx.account, activity).await.unwrap();
        assert_eq!(
            (links[0].link_number, links[0].url.as_str(), links[0].label.as_str()),
            (1, "https://example.org/", "Shop")
        );
        let entries = audit::page(&mut tx, bench.ctx.account, i64::MAX, 1).await.unwrap();
        assert_eq!(entries[0].action, "campaign.start");
        drop(tx);
        assert!(matches!(
            bench.launch(draft.id, When::Now).await,
            Err(CampaignError::State { state: State::Sending, .. })
        ));

        let examined = bench.examine(draft.id).await;
        let mut tx = bench.tx().await;
        let changed =
            update(&bench.ctx, &mut tx, &bench.keyring, draft.id, 2, &content("X"), Audience::everybody()).await;
        assert!(matches!(changed, Err(CampaignError::State { state: State::Sending, step: None })));
        pause(&bench.ctx, &mut tx, draft.id).await.unwrap();
        assert!(matches!(pause(&bench.ctx, &mut tx, draft.id).await, Err(CampaignError::State { .. })));
        let again = resume(&bench.ctx, &mut tx, &bench.keyring, &examined).await.unwrap();
        assert_eq!(again, activity, "the same sending goes on");
        assert!(finish(&bench.ctx, &mut tx, activity).await.unwrap());
        assert!(!finish(&bench.ctx, &mut tx, activity).await.unwrap(), "once");
        assert!(matches!(cancel(&bench.ctx, &mut tx, draft.id).await, Err(CampaignError::State { .. })));
        tx.commit().await.unwrap();
        assert_eq!(bench.jobs("delivery.run").await, 2, "resuming does not rely on a job that may be ending");
        assert_eq!(bench.load(draft.id).await.state, State::Finished);
    })
    .await;
}

#[tokio::test]
async fn what_is_not_ready_is_not_sent() {
    for_each_database(async |house| {
        let bench = Bench::new(house).await;
        let draft = bench.draft().await;
        let (ctx, keyring) = (&bench.ctx, &bench.keyring);
        let mut tx = bench.tx().await;
        let nobody = update(ctx, &mut tx, keyring, draft.id, 1, &content("Hi"), Audience::default()).await.unwrap();
        tx.commit().await.unwrap();
        assert!(matches!(bench.launch(draft.id, When::Now).await, Err(CampaignError::NoAudience)));
        let unknown = content("{{ frist_name }}");
        let mut tx = bench.tx().await;
        update(ctx, &mut tx, keyring, draft.id, nobody.revision, &unknown, Audience::everybody()).await.unwrap();
        tx.commit().await.unwrap();
        let Err(CampaignError::Problems(problems)) = bench.launch(draft.id, When::Now).await else { panic!("refused") };
        assert_eq!(problems[0].code, "tag.unknown");
        assert_eq!(bench.jobs("delivery.run").await, 0);
        assert_eq!(bench.load(draft.id).await.state, State::Draft);
    })
    .await;
}

#[tokio::test]
async fn a_campaign_is_sent_as_it_was_looked_at() {
    for_each_database(async |house| {
        let bench = Bench::new(house).await;
        let draft = bench.draft().await;
        let (ctx, keyring) = (&bench.ctx, &bench.keyring);
        let examined = bench.examine(draft.id).await;
        let mut tx = bench.tx().await;
        update(ctx, &mut tx, keyring, draft.id, 1, &content("{{ frist_name }}"), Audience::everybody()).await.unwrap();
        for when in [When::Now, When::At(ctx.now().plus(Duration::from_hours(1)))] {
            let stale = launch(ctx, &mut tx, keyring, &examined, when).await;
            assert!(matches!(stale, Err(CampaignError::Changed(2))), "{stale:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn whom_a_deleted_tag_kept_out_gets_nothing() {
    for_each_database(async |house| {
        let bench = Bench::new(house).await;
        let (ctx, keyring) = (&bench.ctx, &bench.keyring);
        let account = ctx.account;
        let mut tx = bench.tx().await;
        let (list, tag) = (ctx.new_id::<kind::List>(), ctx.new_id::<kind::Tag>());
        assert!(letterkeep_store::list::insert(&mut tx, account, list, "Customers", "", 0).await.unwrap());
        assert!(letterkeep_store::tag::insert(&mut tx, account, tag, "Not these", 0).await.unwrap());
        tx.commit().await.unwrap();
        let without = Audience { excluded_tags: vec![tag], ..Audience::everybody() };
        let listed = Audience { lists: vec![list], ..Audience::default() };
        let hour = Duration::from_hours(1);
        let mut made = Vec::new();
        for audience in [without, listed] {
            let mut pair = Vec::new();
            for _ in 0..2 {
                let mut tx = bench.tx().await;
                let draft = create(ctx, &mut tx, keyring, "X", &content("Hi"), audience.clone()).await.unwrap();
                tx.commit().await.unwrap();
                pair.push(draft.id);
            }
            // Positive control: while the tag and the list exist, the campaign can be scheduled.
            bench.launch(pair[0], When::At(ctx.now().plus(hour))).await.unwrap();
            made.push((pair[0], pair[1]));
        }
        // What the rooms refuse while campaigns wait; a restored database may still hold it.
        let mut tx = bench.tx().await;
        letterkeep_store::tag::delete(&mut tx, account, tag).await.unwrap();
        letterkeep_store::list::delete(&mut tx, account, list).await.unwrap();
        tx.commit().await.unwrap();
        house.clock.advance(hour);
        for (waiting, draft) in made {
            for when in [When::Now, When::At(ctx.now().plus(hour))] {
                assert!(matches!(bench.launch(draft, when).await, Err(CampaignError::AudienceGone)));
            }
            assert_eq!(bench.begin(waiting).await, Scheduled::Held("audience_gone"));
            let held = bench.load(waiting).await;
            assert_eq!((held.state, held.state_reason.as_str()), (State::Paused, "audience_gone"));
            let examined = bench.examine(waiting).await;
            let mut tx = bench.tx().await;
            let resumed = resume(ctx, &mut tx, keyring, &examined).await;
            assert!(matches!(resumed, Err(CampaignError::AudienceGone)), "{resumed:?}");
        }
        assert_eq!(bench.jobs("delivery.run").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_schedule_is_kept_moved_or_held() {
    for_each_database(async |house| {
        let bench = Bench::new(house).await;
        let draft = bench.draft().await;
        let hour = Duration::from_hours(1);
        let now = bench.ctx.now();
        assert!(matches!(bench.launch(draft.id, When::At(now)).await, Err(CampaignError::Time)));
        let at = now.plus(hour);
        assert!(matches!(bench.launch(draft.id, When::At(at)).await, Ok(Launched::Waiting(time)) if time == at));
        assert_eq!(bench.begin(draft.id).await, Scheduled::NotDue);

        // Moved: the job of the old time finds nothing to do.
        let mut tx = bench.tx().await;
        unschedule(&bench.ctx, &mut tx, draft.id).await.unwrap();
        tx.commit().await.unwrap();
        house.clock.advance(hour);
        assert_eq!(bench.begin(draft.id).await, Scheduled::NotDue);
        bench.launch(draft.id, When::At(bench.ctx.now().plus(hour))).await.unwrap();
        assert_eq!(bench.jobs("campaign.start").await, 2);
        house.clock.advance(hour);
        let Scheduled::Begun(activity) = bench.begin(draft.id).await else { panic!("it begins") };
        assert_eq!(bench.begin(draft.id).await, Scheduled::NotDue, "a job that runs twice sends once");
        assert_eq!(bench.load(draft.id).await.activity, Some(activity));

        // Overdue: not sent silently.
        let late = bench.draft().await;
        bench.launch(late.id, When::At(bench.ctx.now().plus(hour))).await.unwrap();
        house.clock.advance(hour + LATEST + Duration::from_secs(1));
        assert_eq!(bench.begin(late.id).await, Scheduled::Held("overdue"));
        let held = bench.load(late.id).await;
        assert_eq!((held.state, held.state_reason.as_str(), held.activity), (State::Paused, "overdue", None));
        let examined = bench.examine(late.id).await;
        let mut tx = bench.tx().await;
        resume(&bench.ctx, &mut tx, &bench.keyring, &examined).await.unwrap();
        cancel(&bench.ctx, &mut tx, late.id).await.unwrap();
        tx.commit().await.unwrap();
        let cancelled = bench.load(late.id).await;
        assert!(cancelled.state == State::Cancelled && cancelled.state_reason.is_empty());
        let mut tx = bench.tx().await;
        let activity = find_activity(&bench.ctx, &mut tx, &bench.keyring, cancelled.activity.unwrap()).await.unwrap();
        assert!(activity.is_some_and(|it| it.state == ActivityState::Cancelled && it.finished_at.is_some()));
    })
    .await;
}
