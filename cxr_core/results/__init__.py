"""Result objects: what a study's predictions become in a PACS. DICOM SR, Secondary Capture and Presentation State.

`encode.encode_study` makes them; `marks.is_result` knows them again. Loaded only where results are made: highdicom
takes 0.1 s and 20 MB.
"""
