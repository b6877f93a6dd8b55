# The import of contacts.
imports-lead = Every import and its result. An import that has ended can be undone as a whole.
imports-none = No imports yet
imports-none-text = Import your contacts from a file: CSV, TSV or Excel.
imports-when = Uploaded
imports-state = Status
import-rows = Rows
import-state-mapping = Not started
import-state-running = Importing
import-state-paused = Paused
import-state-done = Done
import-state-cancelled = Cancelled
import-state-failed = Failed
import-state-undoing = Being undone
import-state-undone = Undone
import-step-file = File
import-step-columns = Columns
import-step-check = Check
import-step-run = Import
import-lead = In four steps. Nothing is changed before you have seen what would happen.
import-origin = Where do these contacts come from?
import-permission-question = May you write to them?
import-permission-missing = Please choose whether you may write to these contacts.
import-permission-explicit = Yes, they have agreed
import-permission-explicit-help = Each of them signed up for your campaigns, for example through a form or on paper.
import-permission-implicit = They are customers or members
import-permission-implicit-help = They bought something or joined, were told about it, and have not objected. In many countries this allows campaigns about similar products only.
import-permission-not-set = I do not know
import-permission-not-set-help = They are stored, but nothing is sent to them until you know.
import-evidence = How did you get the addresses?
import-evidence-help = For example “Sign-up form on our website since 2019” or “Customers of the farm shop, told at the till”. It is stored sealed and applies to the whole file.
import-evidence-missing = Please say how you got the addresses. Then choose the file once more if needed.
import-advice = Bought addresses and addresses collected from websites
import-advice-text = Do not import them. Writing to people who have not asked for it is forbidden in most countries, and mailbox providers soon refuse everything you send. Contacts that unsubscribed before stay unsubscribed, whatever the file says.
import-file = The file
import-file-label = Choose a file
import-file-help = CSV, TSV or Excel (.xlsx) with headings in the first row, at most { $megabytes } MB and { $rows } rows.
import-file-stored = The file is stored sealed and deleted when the import has ended.
import-file-missing = Please choose a file.
import-file-large = The file is larger than { $megabytes } MB. Please split it.
import-upload = Upload and continue
import-unreadable = The file cannot be read like this
import-source-encoding = Row { $row } contains a character that does not exist in { $encoding }. Choose the encoding the file was saved with.
import-source-workbook = The Excel file cannot be read. Open it, save it again as .xlsx or as CSV, and upload that.
import-source-zip-bomb = The Excel file is refused: unpacked it would be far larger than any table. Save the table as CSV and upload that.
import-source-too-many-strings = The Excel file holds more text than can be read at once. Save it as CSV and upload that.
import-source-foreign = This is another kind of file. Save the table as .xlsx or CSV and upload that.
import-source-empty = The file has no rows.
import-source-too-many-rows = The file has more than 5,000,000 rows. Please split it.
import-source-read = The stored file cannot be read. Please upload it again.
import-problem-columns-changed = The columns of the file no longer fit the mapping. Please map them again.
import-problem-no-email = No column is mapped to the e-mail address. Please choose the one that holds it.
import-problem-twice = Columns { $first } and { $second } go to the same field. Leave one of them out.
import-problem-create = The new field for column { $column } needs a name.
import-problem-field-gone = The field for column { $column } was deleted in the meantime. Please choose another one.
import-problem-settings = The details of this import are not complete. Please check permission, origin and time zone.
import-problem-gave-up = It was tried ten times and broke off each time. What was imported by then stays. Undo the import, or import the file again. If this happens again, ask whoever runs Letterkeep.
import-problem-undo-gave-up = It could not be undone completely in ten attempts. What was taken back stays taken back. Please try again. If this happens again, ask whoever runs Letterkeep.
import-columns = Assign the columns
import-columns-lead = { $file } · { $size } · { $count } columns
import-columns-title = Where does each column go?
import-column = Column
import-column-number = Column { $number }
import-samples = Examples
import-target = Goes to
import-target-for = Where the column “{ $column }” goes
import-skip = Leave out
import-standard = Standard fields
import-about = About the contact
import-target-permission = Permission (yes or no)
import-target-tracking = Opens and clicks (yes or no)
import-create = New field: { $kind }
import-new-label = Name of the new field
import-no-email = Choose the column that holds the e-mail addresses.
import-twice = Columns { $first } and { $second } go to the same field. Leave one of them out.
import-create-refused = The new field needs a name.
import-field-gone = This field was deleted in the meantime. Please choose another one.
import-too-many-lists = At most 20 lists and 20 tags at once.
import-format = Umlauts or columns look wrong?
import-format-text = Choose how the file was saved. The columns are then read and assigned anew.
import-encoding = Encoding
import-delimiter = Separator
import-delimiter-comma = Comma ,
import-delimiter-semicolon = Semicolon ;
import-delimiter-tab = Tab
import-delimiter-pipe = Pipe |
import-reread = Read again
import-groups = Put them on lists and give them tags
import-groups-text = This applies to every contact of the file, and makes them easy to find later.
import-new-list = New list
import-new-tag = New tag
import-tracking = All of them have agreed that opens and clicks are recorded
import-tracking-help = Without this, campaigns arrive all the same; only the report knows less.
import-tracking-evidence = How did they agree to that?
import-tracking-evidence-missing = Please say how they agreed that opens and clicks are recorded.
import-reading = How the rows are read
import-existing = Contacts that exist already
import-existing-update = Update them
import-existing-update-help = Cells with content replace what is known. Empty cells erase nothing.
import-existing-keep = Keep them as they are
import-existing-keep-help = They only join the lists and get the tags.
import-notation = Numbers in the file
import-notation-help = A number that could be read both ways is refused unless you choose.
import-notation-any = As far as they are clear
import-notation-german = 1.234,56
import-notation-english = 1,234.56
import-to-check = Save and check
import-discard = Discard this file
import-discard-text = Nothing has been imported yet.
import-check = What the import would do
import-check-lead = Nothing has changed yet. If it looks right, start the import.
import-checking = Reading the whole file
import-check-goes-on = You can close this page: the check goes on, and its result will stand here.
import-check-wanted = The file has not been checked yet
import-check-not-asked = With a file of this size this takes a moment. The check runs in the background.
import-check-failed = The last check did not come to its end. The file and the columns are still there. Please have it checked again.
import-check-start = Check the file
import-check-again = Check again
import-checked-at = Checked on
import-nothing = There is nothing to import. Check the columns, or the reasons below.
import-back = Change the columns
import-start = { $count ->
    [one] Import 1 contact
   *[other] Import { $count } contacts
  }
import-would-create = new
import-would-update = to be updated
import-created = new
import-updated = updated
import-unchanged = unchanged
import-duplicate = twice in the file
import-rejected = refused
import-row = Row
import-row-number = Row { $number }
import-reason = Reason
import-refused-title = Rows that will not be imported
import-refused-text = { $count ->
    [one] One row. After the import you can download it, correct it and import it again.
   *[other] { $shown } of { $count } rows. After the import you can download all of them, correct them and import them again.
  }
import-differences = Contacts that would change
import-differences-text = { $shown } of { $count }, before → after.
import-changes = Changes
import-of = Import of { $date }
import-goes-on = You can close this page: the import goes on, even if the server is restarted.
import-pause = Pause
import-resume = Resume
import-cancel = Cancel the import
import-cancel-text = What was imported stays and can be undone.
import-undoing = Undoing the import
import-done-text = { $count ->
    [one] One row was read.
   *[other] All { $count } rows were read.
  }
import-failed = The import could not go on
import-failed-text = { $count ->
    [one] One row was read before; what was imported stays and can be undone.
   *[other] { $count } rows were read before; what was imported stays and can be undone.
  }
import-cancelled-text = { $count ->
    [one] Cancelled after one row. What was imported stays and can be undone.
   *[other] Cancelled after { $count } rows. What was imported stays and can be undone.
  }
import-undone-text = This import was undone. The figures below show what it had done before.
import-undone-removed = removed
import-undone-restored = restored
import-undone-kept = kept
import-undone-kept-note = changed or unsubscribed since
import-rejects-text = { $count ->
    [one] One row was not taken. The file holds it as it stood, with the reason.
   *[other] { $count } rows were not taken. The file holds them as they stood, each with its reason. Correct them and import the file again.
  }
import-rejects = Download the refused rows
import-contacts = Show the contacts
import-again = Import another file
import-undo = Undo this import
import-undo-title = Undo this import?
import-undo-word = undo
import-undo-lost = The { $created } contacts that it created are erased, and the { $updated } that it updated get their earlier data back.
import-undo-kept = Contacts that were changed since, or that unsubscribed since, stay as they are. Whoever the file unsubscribed stays unsubscribed. Lists and tags that the import made are deleted if nobody else uses them. Custom fields that it made stay; delete them under “Custom fields” if nobody needs them.
import-refused-then = Rows that were not imported
