# Lists and tags.
audience-actions = Actions
audience-change = Change
audience-change-name = Change “{ $name }”
audience-delete = Delete
audience-delete-name = Delete “{ $name }”
audience-created = Created.
audience-deleted = Deleted.
audience-confirm-refused = Nothing was deleted. Please type “{ $word }” exactly as it is written here.
lists-lead = A list holds the contacts a campaign goes to. A contact can be on several lists.
lists-new = New list
lists-create = Create list
lists-none = No lists yet
lists-none-text = Make one for each group you write to, for example “Regular customers” or “Newsletter”.
lists-name = Name
lists-name-help = Only you see it. Recipients do not.
lists-name-missing = The list needs a name.
lists-name-taken = Another list has this name already.
lists-too-many = There are 1,000 lists already. Delete one that is no longer needed, or use tags.
lists-description = What it is for
lists-description-help = Helps colleagues to choose the right list.
lists-members = Contacts
lists-made = Created
lists-change = Change list
lists-delete = Delete list
lists-delete-title = Delete the list “{ $name }”?
lists-in-use = This list cannot be deleted yet: campaigns that have not ended go to it. Cancel them or wait for their end.
lists-delete-text = { $count ->
    [one] The list “{ $name }” and the membership of one contact in it are deleted. The contact, its permission and all reports are kept.
   *[other] The list “{ $name }” and the membership of { $count } contacts in it are deleted. The contacts, their permissions and all reports are kept.
  }
tags-lead = Tags mark contacts, for example by interest. They help to filter and to choose.
tags-new = New tag
tags-create = Create tag
tags-none = No tags yet
tags-none-text = Make one, for example “Farm tour 2026”, and give it to contacts by hand or while importing.
tags-name = Name
tags-name-help = Short words work best.
tags-name-missing = The tag needs a name.
tags-name-taken = Another tag has this name already.
tags-too-many = There are 1,000 tags already. Delete one that is no longer needed.
tags-members = Contacts
tags-made = Created
tags-change = Change tag
tags-delete = Delete tag
tags-delete-title = Delete the tag “{ $name }”?
tags-in-use = This tag cannot be deleted yet: campaigns that have not ended choose by it. Cancel them or wait for their end.
tags-delete-text = { $count ->
    [one] The tag “{ $name }” is deleted and taken off one contact. The contact is kept.
   *[other] The tag “{ $name }” is deleted and taken off { $count } contacts. The contacts are kept.
  }
in-use-back = Back
