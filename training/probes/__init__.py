"""How far to trust a served model: changed copies, shortcuts, trivial baselines, its maps, films from elsewhere."""
