# The organisation's settings.
organisation-lead = What appears in every campaign, and how Letterkeep writes times.
organisation-name = Name of the organisation
organisation-name-refused = The name has 1 to 200 characters and no line breaks.
organisation-address = Postal address
organisation-address-help = The law requires it at the foot of every campaign. Nothing can be sent without it.
organisation-address-refused = The address has at most 500 characters.
organisation-zone = Time zone
organisation-zone-help = For example Europe/Berlin. It applies to campaigns that are sent at a set time.
organisation-zone-refused = This time zone is not known. It is written like Europe/Berlin.
organisation-locale = Language of the organisation
organisation-locale-help = For what Letterkeep writes on your behalf, for example the unsubscribe page.
