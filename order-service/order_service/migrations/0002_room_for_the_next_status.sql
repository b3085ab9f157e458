-- Nearly every order changes its status once; with room on its page that touches no index (HOT).
alter table orders set (fillfactor = 70);
