"""How far a served model can be trusted: changed copies, shortcuts, trivial baselines, its maps, films from elsewhere."""
