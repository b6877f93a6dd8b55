# What stands on every page.
skip = Skip to the content
nav-name = Main navigation
nav-account = Account
nav-more = More
nav-dashboard = Overview
nav-contacts = Contacts
nav-campaigns = Campaigns
nav-lists = Lists
nav-tags = Tags
nav-fields = Custom fields
nav-imports = Imports
nav-domains = Sending domains
nav-relay = Mail server
nav-users = Users and roles
nav-sessions = Sessions and devices
nav-audit = Audit log
nav-organisation = Organisation
crumbs-name = You are here
log-in = Log in
log-out = Log out
sign-up = Create an account
help = Help
language = Language
scheme = Colours
scheme-auto = Match the device
scheme-light = Light
scheme-dark = Dark
cancel = Cancel
save = Save
saved = Saved.
optional = (optional)
yes = yes
no = no
password-show = Show
password-hide = Hide
form-refused = { $count ->
    [one] One entry is missing or not right.
   *[other] { $count } entries are missing or not right.
  }
confirm-type = Type “{ $word }” to confirm
pager-name = Pages of the list
pager-first = Back to the start
pager-next = Next
chart-table = Show as a table
stepper-name = Steps
progress-of = { $done } of { $total }
progress-rate = { $rate } a second
progress-left = about { $left } left
duration-seconds = { $count ->
    [one] 1 second
   *[other] { $count } seconds
  }
duration-minutes = { $count ->
    [one] 1 minute
   *[other] { $count } minutes
  }
duration-hours = { $count ->
    [one] 1 hour
   *[other] { $count } hours
  }
duration-days = { $count ->
    [one] 1 day
   *[other] { $count } days
  }
time-now = just now
time-ago = { $count ->
    [one] { $count } { $unit ->
        [seconds] second
        [minutes] minute
        [hours] hour
       *[days] day
      } ago
   *[other] { $count } { $unit } ago
  }
time-in = in { $count ->
    [one] { $count } { $unit ->
        [seconds] second
        [minutes] minute
        [hours] hour
       *[days] day
      }
   *[other] { $count } { $unit }
  }
role-owner = Owner
role-manager = Manager
role-campaign-creator = Campaign creator
role-viewer = Viewer
nav-address-book = Address book
progress-at = { $name }: { $percent }%
