# Was auf jeder Seite steht.
skip = Zum Inhalt springen
nav-name = Hauptnavigation
nav-account = Konto
nav-more = Mehr
nav-dashboard = Übersicht
nav-contacts = Kontakte
nav-campaigns = Kampagnen
nav-lists = Listen
nav-tags = Schlagwörter
nav-fields = Eigene Felder
nav-imports = Importe
nav-domains = Absender-Domains
nav-relay = Mailserver
nav-users = Benutzer und Rollen
nav-sessions = Sitzungen und Geräte
nav-audit = Prüfprotokoll
nav-organisation = Organisation
crumbs-name = Sie sind hier
log-in = Anmelden
log-out = Abmelden
sign-up = Konto anlegen
help = Hilfe
language = Sprache
scheme = Farben
scheme-auto = Wie das Gerät
scheme-light = Hell
scheme-dark = Dunkel
cancel = Abbrechen
save = Speichern
saved = Gespeichert.
optional = (freiwillig)
yes = ja
no = nein
password-show = Anzeigen
password-hide = Verbergen
form-refused = { $count ->
    [one] Eine Angabe fehlt noch oder stimmt nicht.
   *[other] { $count } Angaben fehlen noch oder stimmen nicht.
  }
confirm-type = Zur Bestätigung „{ $word }“ eintippen
pager-name = Seiten der Liste
pager-first = Zum Anfang
pager-next = Weiter
chart-table = Als Tabelle anzeigen
stepper-name = Schritte
progress-of = { $done } von { $total }
progress-rate = { $rate } pro Sekunde
progress-left = noch etwa { $left }
duration-seconds = { $count ->
    [one] 1 Sekunde
   *[other] { $count } Sekunden
  }
duration-minutes = { $count ->
    [one] 1 Minute
   *[other] { $count } Minuten
  }
duration-hours = { $count ->
    [one] 1 Stunde
   *[other] { $count } Stunden
  }
duration-days = { $count ->
    [one] 1 Tag
   *[other] { $count } Tage
  }
time-now = gerade eben
time-ago = vor { $count ->
    [one] { $count } { $unit ->
        [seconds] Sekunde
        [minutes] Minute
        [hours] Stunde
       *[days] Tag
      }
   *[other] { $count } { $unit ->
        [seconds] Sekunden
        [minutes] Minuten
        [hours] Stunden
       *[days] Tagen
      }
  }
time-in = in { $count ->
    [one] { $unit ->
        [seconds] einer Sekunde
        [minutes] einer Minute
        [hours] einer Stunde
       *[days] einem Tag
      }
   *[other] { $count } { $unit ->
        [seconds] Sekunden
        [minutes] Minuten
        [hours] Stunden
       *[days] Tagen
      }
  }
role-owner = Inhaber
role-manager = Manager
role-campaign-creator = Kampagnenersteller
role-viewer = Betrachter
nav-address-book = Adressbuch
progress-at = { $name }: { $percent } %
